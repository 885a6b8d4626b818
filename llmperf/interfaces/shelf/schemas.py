"""JSON Schemas of what a user writes, and the table of outputs as data."""

from __future__ import annotations

from typing import Any

from llmperf.checks.limits import SCHEMA_VERSION as CHECK_VERSION
from llmperf.checks.limits import SIDES, CheckKeys
from llmperf.contract.comparison import DIALECT
from llmperf.contract.comparison import schema as comparison_schema
from llmperf.descriptors.scenario import Plain
from llmperf.descriptors.validation import adapter
from llmperf.errors import InputError, Problem, nearest
from llmperf.evidence.claims.files import Published
from llmperf.outputs import by_path, groups
from llmperf.scenarios.components import COMPONENTS, ENTRIES
from llmperf.scenarios.keys import FLAT, JUDGED, SECTIONS


def schema_of(kind: str) -> dict[str, Any]:
    """JSON Schema of a scenario, of one kind of descriptor, of checks, their results and lock files, or of what
    ``llmperf compare --json`` prints.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    known = {**ENTRIES, **SECTIONS}
    if kind == "scenario":
        return _scenario()
    if kind == "published":
        return {"$schema": DIALECT, **adapter(Published).json_schema()}
    if kind == "comparison":
        return comparison_schema()
    if kind == "check":
        return _check()
    if kind in ("check-results", "check-lock"):
        from llmperf.checks import schema

        return {"$schema": DIALECT, **(schema.results() if kind == "check-results" else schema.lock_file())}
    if kind not in known:
        allowed = ("scenario", *known, "check", "check-results", "check-lock", "published", "outputs", "comparison")
        raise InputError(Problem(f"unknown kind {kind!r}", "kind", allowed=allowed, suggestion=nearest(kind, allowed)))
    return {"$schema": DIALECT, **_written(kind, adapter(known[kind]).json_schema())}


def _written(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A descriptor's schema as its file is written: the name comes from the file, efficiencies by name."""
    schema["properties"] = {"extends": {"type": "string"}, **schema["properties"]}
    required = [key for key in schema.get("required", []) if key != "name"]
    if required:
        # a file that extends another need not repeat what that one says, at no depth
        _make_optional(schema)
        schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    if kind == "hardware":
        schema["properties"]["achieved"] = {"anyOf": [{"type": "string"}, schema["properties"]["achieved"]]}
        _extend(schema["$defs"])
    return schema


def _extend(definitions: dict[str, Any]) -> None:
    """Let the parts of hardware that the catalog holds build on one of it."""
    for name in ("Achieved", "Link", "Tier"):
        definitions[name]["properties"] = {"extends": {"type": "string"}, **definitions[name]["properties"]}


def _make_optional(schema: Any) -> None:
    """Drop every list of required keys, and let null stand for a key that a base has and this file deletes."""
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("required"), list):
        del schema["required"]
    for inner in schema.values():
        _make_optional(inner)
    parts = schema.get("properties")
    if isinstance(parts, dict):
        schema["properties"] = {key: _or_null(inner) for key, inner in parts.items()}
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _or_null(schema["additionalProperties"])


def _or_null(schema: Any) -> Any:
    return {"anyOf": [schema, {"type": "null"}]}


def _scenario() -> dict[str, Any]:
    properties: dict[str, Any] = {"extends": {"type": "string", "description": "a scenario that this one overrides"}}
    definitions: dict[str, Any] = {}
    for name, cls in COMPONENTS.items():
        inner = adapter(cls).json_schema()
        _make_optional(inner)
        definitions.update(inner.pop("$defs", {}))
        inner["properties"] = {"extends": {"type": "string"}, **inner["properties"]}
        if name == "hardware":
            inner["properties"]["achieved"] = {"anyOf": [{"type": "string"}, inner["properties"]["achieved"]]}
            _extend(definitions)
        properties[name] = {"anyOf": [{"type": "string", "description": "a catalog name, an alias or a file"}, inner]}
    for name, cls in SECTIONS.items():
        inner = adapter(cls).json_schema()
        definitions.update(inner.pop("$defs", {}))
        if name in ENTRIES:  # one of the catalog, or what is said on top of one
            inner["properties"] = {"extends": {"type": "string"}, **inner["properties"]}
            inner = {"anyOf": [{"type": "string", "description": "a catalog name, an alias or a file"}, inner]}
        properties[name] = inner
    properties |= adapter(Plain).json_schema()["properties"]
    properties |= {key: value for key, value in _check_keys(definitions).items() if key in JUDGED}
    return {
        "$schema": DIALECT,
        "title": "Scenario",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _check_keys(definitions: dict[str, Any]) -> dict[str, Any]:
    """The keys of a check beside its scenario; what they refer to goes into `definitions`."""
    schema = adapter(CheckKeys).json_schema()
    definitions.update(schema.pop("$defs", {}))
    limit: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "number"}]}
    limits = {
        "type": "object",
        "properties": {"min": limit, "max": limit, "equals": {}, "confidence": schema["properties"]["confidence"]},
        "additionalProperties": False,
        "anyOf": [{"required": [side]} for side in SIDES],
    }
    definitions["Limits"] = {"anyOf": [limits, {"type": ["boolean", "string", "null"]}]}
    of = {"$ref": "#/$defs/Limits"}
    outputs = {path: {**of, "description": output.description} for path, output in by_path().items()}
    grouped = {group: {"type": "object", "additionalProperties": of} for group in groups()}
    spelled = {f"^({'|'.join(groups())})\\.": of}
    expect = {"type": "object", "properties": {**outputs, **grouped}, "patternProperties": spelled}
    schema["properties"]["expect"] = {**expect, "additionalProperties": False}
    version = {"type": "integer", "minimum": 1, "maximum": CHECK_VERSION}
    properties: dict[str, Any] = {**schema["properties"], "schema_version": version}
    return {key: _or_null(value) if key != "schema_version" else value for key, value in properties.items()}


def _check() -> dict[str, Any]:
    """A check file: a scenario with limits, or what its checks have in common and the list of them."""
    schema = _scenario()
    short: dict[str, Any] = {key.rpartition(".")[2]: {} for key in FLAT.values()}
    entry = {**schema["properties"], **short, **_check_keys(schema["$defs"])}
    dotted: dict[str, Any] = {r"^\w+\..": {}}
    of = {"type": "object", "properties": entry, "patternProperties": dotted, "additionalProperties": False}
    schema["$defs"]["Check"] = of
    many = {"type": "array", "items": {"$ref": "#/$defs/Check"}, "minItems": 1}
    return {
        **schema,
        "title": "Checks",
        "properties": {**entry, "checks": many},
        "patternProperties": dotted,
    }
