"""The part of JSON Schema that the published schemas of the benchmarks use."""

from typing import Any

_KINDS = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip
_KEYS = {
    "$schema", "title", "description", "type", "enum", "items", "properties", "required", "additionalProperties",
}  # fmt: skip


def validate(value: Any, schema: dict[str, Any], at: str = "$") -> None:
    assert set(schema) <= _KEYS, at
    assert "enum" not in schema or value in schema["enum"], at
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    fits = [isinstance(value, _KINDS[kind]) and (isinstance(value, bool) == (kind == "boolean")) for kind in kinds]
    assert any(fits), f"{at}: {value!r}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            validate(item, schema["items"], f"{at}[{index}]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), at
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            assert inner, f"{at}.{key}"
            validate(item, inner, f"{at}.{key}")
