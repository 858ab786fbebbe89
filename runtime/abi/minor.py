"""What minor versions of the format added, and what readers take where an older file does not say it.

- 1: the target's `vector.latency` and `vector.cycles`; 64-bit lanes, f16, bf16, streams, SKIP, BREAK and `left` in
  instruction words, which a file of minor 0 may also use: a reader that does not know them refuses them by
  themselves. So it does what inputs and outputs stand for (0 in older files), and those without elements.
- 2: the target's `vector.types`, which takes the place of `vector.dtypes`: that said less than programs used, and
  nothing checked it. The optional section ORIGIN, which a file of any minor version may have.

The TARGET section says which minor version a file is of; keys that an older one lacks have the values of
`TARGET_DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DType

TARGET_DEFAULTS: dict[int, dict[str, dict[str, Any]]] = {
    1: {
        "vector": {
            "latency": {"alu": 4, "memory": 12, "store": 4, "div": 16, "special": 24, "scan": 4},
            "cycles": {"gather": 2, "div": 4, "special": 2, "software": 16},
        }
    },
    2: {"vector": {"types": [dtype.name.lower() for dtype in DType if dtype is not DType.TRIT]}},
}
"""Minor version → keys that it added to tables of TARGET, with their values in files of minor versions before."""

TARGET_REMOVED: dict[int, dict[str, tuple[str, ...]]] = {2: {"vector": ("dtypes",)}}
"""Minor version → keys of tables of TARGET that files of minor versions before have, and whose values mean nothing."""


def minor_of(target: Mapping[str, Any]) -> int:
    """The least minor version that has all keys of a TARGET section."""

    def has_any(tables: Mapping[str, Mapping[str, Any]]) -> bool:
        return any(name in _table(target, key) for key, added in tables.items() for name in added)

    return max((minor for minor, tables in TARGET_DEFAULTS.items() if has_any(tables)), default=0)


def complete(target: Mapping[str, Any], minor: int, where: str) -> dict[str, Any]:
    """A TARGET section of a file of version `minor`, with the keys that were added later.

    Raises TfmbsError `target`, at `where` and the key, for a key that this version does not have.
    """
    out = dict(target)
    for later, tables in TARGET_DEFAULTS.items():
        if later <= minor:
            continue
        for key, added in tables.items():
            table = _table(target, key)
            for name in added:
                if name in table:
                    expected = f"none before minor version {later}"
                    raise TfmbsError("target", f"{where}: {key}.{name}", "key", expected, f"one in version {minor}")
            if isinstance(out.get(key), Mapping):
                removed = TARGET_REMOVED.get(later, {}).get(key, ())
                out[key] = {name: value for name, value in out[key].items() if name not in removed} | added
    return out


def _table(target: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = target.get(key)
    return table if isinstance(table, Mapping) else {}
