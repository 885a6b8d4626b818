"""The reference of the files that a user writes, from their JSON Schemas, and of the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import griffe
from markdown.extensions.toc import slugify

from generator.markup import Html, Page, cell, code, link, markdown, page, table
from llmperf.evidence.claims.files import Published
from llmperf.interfaces.shelf.schemas import schema_of
from llmperf.outputs import CAPACITY, MEMORY_CLASSES, OPERATORS, TIMES, Output, to_come
from llmperf.resources import labels
from llmperf.scenarios.components import ENTRIES
from llmperf.scenarios.keys import SECTIONS

KINDS: dict[str, Any] = {"scenario": None, **ENTRIES, **SECTIONS, "published": Published}
"""Kinds of `llmperf schema`, and the class that each is read into."""


def pages() -> Iterator[Page]:
    """A page for each kind of file, one for the outputs."""
    for kind in KINDS:
        yield _file(kind)
    yield _outputs()


def _file(kind: str) -> Page:
    schema = schema_of(kind)
    cls = KINDS[kind]
    parts = [
        f"`llmperf schema {kind}` prints this as JSON Schema; `extends` names an entry of the same kind to build on.",
        markdown(_prose(schema)),
        _properties(schema, cls.__name__ if cls else ""),
    ]
    for name, inner in sorted(schema.get("$defs", {}).items()):
        if "properties" in inner:
            parts += [f"## {name}", markdown(_prose(inner)), _properties(inner, name)]
    return page(f"reference/files/{kind}.md", kind, *parts)


def _prose(schema: Mapping[str, Any]) -> str:
    """What a schema is described by: the class's text up to its list of attributes."""
    text = str(schema.get("description", "")).partition("Attributes\n")[0].partition("Notes\n")[0]
    return " ".join(text.replace("``", "").replace("`", "").split())


def _properties(schema: Mapping[str, Any], cls: str) -> str:
    said = _descriptions().get(cls, {})
    rows = [
        (code(name), Html(_type(inner)), _default(inner), said.get(name) or _description(inner))
        for name, inner in schema.get("properties", {}).items()
    ]
    return table(("key", "takes", "default", ""), rows)


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Schemas that a value may fulfil, nested choices flattened, without null."""
    if "anyOf" in schema:
        return [found for inner in schema["anyOf"] for found in _alternatives(inner)]
    return [] if schema.get("type") == "null" else [schema]


def _type(schema: Mapping[str, Any]) -> str:
    """What a value may be, as HTML: a mapping leads to its keys."""
    return " or ".join(dict.fromkeys(_plain(inner) for inner in _alternatives(schema)))


def _plain(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return link(name, f"#{slugify(name, '-')}").text
    if "enum" in schema:
        return cell(", ".join(map(str, schema["enum"])))
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema.get('items', {})) or 'values'}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"mapping to {_type(inner)}" if isinstance(inner, Mapping) and inner else schema.get("title", "mapping")
    if kind == "string":
        return "per cent" if schema.get("pattern") == "%$" else "text"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    limits = f" from {low:g}" if low is not None and low > -1e14 else ""
    limits += f" to {high:g}" if high is not None and high < 1e14 else ""
    return {"integer": "whole number", "number": "number", "boolean": "true, false"}.get(str(kind), "anything") + limits


def _default(schema: Mapping[str, Any]) -> Any:
    for inner in (schema, *schema.get("anyOf", ())):
        if inner.get("default") not in (None, [], {}):
            return str(inner["default"]).lower() if isinstance(inner["default"], bool) else inner["default"]
    return None


def _description(schema: Mapping[str, Any]) -> str:
    """A written quantity says its unit, others what the schema has."""
    for inner in (schema, *_described(schema)):
        if "description" in inner:
            example = f", as {inner['examples'][0]}" if inner.get("examples") else ""
            return _line(inner["description"].partition("\n\n")[0]) + example
    return ""


def _described(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for inner in schema.get("anyOf", ()):
        yield inner
        yield from _described(inner)


@cache
def _descriptions() -> dict[str, dict[str, str]]:
    """Class -> field -> what the docstring below the field, or the class's list of attributes, says."""
    found: dict[str, dict[str, str]] = {}
    package = griffe.load("llmperf", docstring_parser="numpy", allow_inspection=False)
    for module in package["descriptors"].modules.values():
        for cls in module.classes.values():
            said = {name: _line(item.docstring.value) for name, item in cls.attributes.items() if item.docstring}
            for section in cls.docstring.parsed if cls.docstring else ():
                if section.kind is griffe.DocstringSectionKind.attributes:
                    for item in section.value:
                        said |= {name.strip(): _line(item.description) for name in item.name.split(",")}
            found[cls.name] = said
    return found


def _line(text: str) -> str:
    return " ".join(text.replace("``", "").replace("`", "").split())


def _outputs() -> Page:
    parts = ["`llmperf schema outputs` prints these tables. An unprefixed name means the projection."]
    for title, outputs in (
        ("Bound, roofline and projection", TIMES),
        ("Memory of one device", MEMORY_CLASSES),
        ("Capacity", CAPACITY),
        ("An operator", OPERATORS),
        ("To come: only published results name them", to_come().values()),
    ):
        names = [item.name for item in fields(Output) if item.name != "label"]
        rows = [(code(output.name), *(getattr(output, name) for name in names[1:])) for output in outputs]
        parts += [f"## {title}", table(("output", *names[1:]), rows)]
    resources = [(code(name), said) for name, said in labels().items()]
    parts += ["## Bottlenecks", table(("resource", "what it is"), resources)]
    return page("reference/outputs.md", "Outputs", *parts)
