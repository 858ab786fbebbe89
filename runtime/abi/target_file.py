"""Target files: TOML, either shipped beside this module or a user's own, read into `Target`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tfmbs.runtime.abi.energy import energy_profiles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TARGETS = Path(__file__).parent / "targets"
MAX_FILE_BYTES = 1 << 20


def shipped_targets() -> tuple[str, ...]:
    """Names of the targets that come with the project, sorted."""
    return tuple(sorted(path.stem for path in TARGETS.glob("*.toml")))


def load_target(name_or_path: str | Path) -> Target:
    """The shipped target of that name, or the one a TOML file describes (a path ends in ``.toml``).

    The key `energy` is the name of a shipped profile or a table of its own.

    Raises:
        TfmbsError: ``target``, naming the file and the key that is unknown, missing or impossible.
    """
    text = str(name_or_path)
    if text in shipped_targets():
        path = TARGETS / f"{text}.toml"
    elif text.endswith(".toml"):
        path = Path(text)
    else:
        expected = f"one of {', '.join(shipped_targets())}, or a .toml file"
        raise TfmbsError("target", "--target", "target", expected, repr(text))
    table = _read_toml(path)
    if isinstance(table.get("energy"), str):
        table["energy"] = _energy_profile(table["energy"], str(path))
    return Target.from_dict(table, str(path))


def _energy_profile(name: str, where: str) -> dict[str, Any]:
    profiles = energy_profiles()
    if name not in profiles:
        expected = f"one of {', '.join(profiles)}, or a table"
        raise TfmbsError("target", f"{where}: energy", "energy profile", expected, repr(name))
    return profiles[name]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TfmbsError("target", path, "file cannot be read", got=error.strerror) from error
    if len(data) > MAX_FILE_BYTES:
        raise TfmbsError("target", path, "file size", f"at most {MAX_FILE_BYTES} bytes", "more")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TfmbsError("target", path, "no TOML", got=error) from error
