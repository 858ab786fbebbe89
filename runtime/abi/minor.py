"""What minor versions of the format added, and what readers take where an older file does not say it.

- 1: the target's `vector.latency` and `vector.cycles`; 64-bit lanes, f16, bf16, streams, SKIP, BREAK and `left` in
  instruction words, which a file of minor 0 may also use: a reader that does not know them refuses them by
  themselves. So it does what inputs and outputs stand for (0 in older files), and those without elements.
- 2: the target's `vector.types`, which takes the place of `vector.dtypes`: that said less than programs used, and
  nothing checked it. The optional section ORIGIN, which a file of any minor version may have.
- 3: the target's features `conv3d` and `attention`, and with them kinds CONV3D and ATTENTION and sections
  VOLUME_GEOMETRY and ATTENTION.
- 4: the target's features `int4` and `groups`, and with them element type I4, packing NIBBLES, kind GROUP_GEMM and
  section GROUP_GEOMETRY.
- 5: run-time sizes: sections SIZES, PATCHES and TERMS. The optional section SEMANTICS, which a file of any minor
  version may have.
- 6: the target's feature `lstm`, and with it kind LSTM and section LSTM_GEOMETRY.
- 7: the target's feature `sparse`, and with it packings S2 and S4.
- 8: the target's feature `residues`, and with it packing R5.
- 9: `out_by_rows` of an attention.
- 10: the loops of a schedule: `order`, `block_m`, `block_n` and `block_k`, which are 0 in files from before.
- 11: the target's feature `abreast`, and with it packing A5.

The TARGET section, the sections there are, and fields that are not 0 say which minor version a file is of; keys that
an older one lacks have the values of `TARGET_DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DType, is_packed

TARGET_DEFAULTS: dict[int, dict[str, dict[str, Any]]] = {
    1: {
        "vector": {
            "latency": {"alu": 4, "memory": 12, "store": 4, "div": 16, "special": 24, "scan": 4},
            "cycles": {"gather": 2, "div": 4, "special": 2, "software": 16},
        }
    },
    2: {"vector": {"types": [dtype.name.lower() for dtype in DType if not is_packed(dtype)]}},
}
"""Minor version → keys that it added to tables of TARGET, with their values in files of minor versions before."""

TARGET_REMOVED: dict[int, dict[str, tuple[str, ...]]] = {2: {"vector": ("dtypes",)}}
"""Minor version → keys of tables of TARGET that files of minor versions before have, and whose values mean nothing."""


TARGET_FEATURES: dict[int, tuple[str, ...]] = {
    3: ("conv3d", "attention"),
    4: ("int4", "groups"),
    6: ("lstm",),
    7: ("sparse",),
    8: ("residues",),
    11: ("abreast",),
}
"""Minor version → features of the target that it added; no target in a file of a minor version before has them."""


TABLES: dict[int, tuple[str, ...]] = {5: ("sizes",)}
"""Minor version → tables of an image that it added, where no feature of the target says so."""


FIELDS: dict[int, dict[str, tuple[str, ...]]] = {
    9: {"attention_geometries": ("out_by_rows",)},
    10: {"schedules": ("order", "block_m", "block_n", "block_k")},
}
"""Minor version → fields that it gave to rows of tables of an image, where zeros were."""


NEWEST = max(*TARGET_DEFAULTS, *TARGET_FEATURES, *TABLES, *FIELDS)
"""The minor version that is written at most. Later ones are read as it is: what they added is told by itself."""


def fields_after(minor: int, table: str) -> list[tuple[int, str]]:
    """Fields of a table of an image that are 0 in files of version `minor`, with the version that gave them."""
    return [(later, name) for later, tables in FIELDS.items() if later > minor for name in tables.get(table, ())]


def minor_of(target: Mapping[str, Any], tables: Mapping[str, Any]) -> int:
    """The least minor version that has all keys and features of a TARGET section, the `tables` with rows, and the
    fields of these that are not 0."""

    def has_any(tables: Mapping[str, Mapping[str, Any]]) -> bool:
        return any(name in _table(target, key) for key, added in tables.items() for name in added)

    by_keys = [minor for minor, tables in TARGET_DEFAULTS.items() if has_any(tables)]
    by_tables = [minor for minor, added in TABLES.items() if any(tables.get(name) for name in added)]
    by_fields = [
        minor
        for minor, added in FIELDS.items()
        for table, names in added.items()
        if any(row.get(name) for row in tables.get(table) or () for name in names)
    ]
    return max((*by_keys, *by_tables, *by_fields, *(minor for minor, _ in _features(target))), default=0)


def complete(target: Mapping[str, Any], minor: int, where: str) -> dict[str, Any]:
    """A TARGET section of a file of version `minor`, with the keys that were added later.

    Raises TfmbsError `target`, at `where` and the key, for a key or feature that this version does not have.
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
    for later, feature in _features(target):
        if later > minor:
            expected = f"none before minor version {later}"
            raise TfmbsError("target", f"{where}: features", "feature", expected, f"{feature} in version {minor}")
    return out


def _features(target: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The features of a TARGET section that came later, with the minor version of each."""
    features = target.get("features")
    known = features if isinstance(features, (list, tuple)) else ()
    return [(minor, name) for minor, added in TARGET_FEATURES.items() for name in added if name in known]


def _table(target: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = target.get(key)
    return table if isinstance(table, Mapping) else {}
