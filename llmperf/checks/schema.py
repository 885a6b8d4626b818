"""JSON Schemas of what checks give: the results of ``llmperf check --json``, and lock files.

A reader takes unknown keys as none of its business: keys may come within a version, but not go.
"""

from __future__ import annotations

from typing import Any

from llmperf.answers.questions import QUESTIONS
from llmperf.checks import SCHEMA_VERSION, STATUSES, WRONG, lock
from llmperf.checks.limits import SIDES
from llmperf.outputs import BOOLEANS, BOUND_BY, Output, by_path
from llmperf.resources import RESOURCES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
LINE: Schema = {"type": ["integer", "null"], "minimum": 1}


def results() -> Schema:
    """What ``llmperf check --json`` prints."""
    return {
        "title": "Results of checks",
        **_holds(
            "every check, in the order of the files; numbers in SI units, null for what does not exist",
            schema_version=_version(SCHEMA_VERSION),
            llmperf_version=TEXT,
            exit_code={"enum": [*range(WRONG + 1)], "description": "0 all hold, 1 one does not, 2 the input is wrong"},
            summary=_holds("how many checks", **{status: {"type": "integer", "minimum": 0} for status in STATUSES}),
            checks=_many({"$ref": "#/$defs/Check"}),
            errors=_many({"$ref": "#/$defs/Problem"}),
            notes=_many(TEXT),
        ),
        "$defs": {"Check": _check(), "Limit": _limit(), "Baseline": _baseline(), "Problem": _problem()},
    }


def lock_file() -> Schema:
    """A lock file as ``llmperf check --update`` writes it."""
    known = by_path()
    digest = {"type": "string", "pattern": "^[0-9a-f]{12}$"}
    component = {"type": "string", "pattern": "^(.* )?[0-9a-f]{12}$", "description": "name and hash"}
    entry = _holds(
        "what a check gave when it was last reviewed",
        inputs={**digest, "description": "hash of the scenario as it is written"},
        catalog={**digest, "description": "hash of all descriptors that it resolves to"},
        llmperf={**TEXT, "description": "version that computed it"},
        components=_mapping(component),
        outputs={
            "type": "object",
            "properties": {path: _value(path, known[path]) for path in sorted(known)},
            "required": [
                path
                for path in lock.locked(QUESTIONS["estimate"])
                if all(path in lock.locked(question) for question in QUESTIONS.values())
            ],
        },
    )
    checks = _mapping(_mapping(entry, "name of the check -> entry"), "name of the file -> its checks")
    return {"title": "Lock file", **_holds(schema_version=_version(lock.SCHEMA_VERSION), checks=checks)}


def _check() -> Schema:
    known = by_path()
    outputs = {path: _value(path, output) for path, output in known.items()}
    always = set.intersection(*(set(question.paths) for question in QUESTIONS.values()))  # whatever is asked
    every = {"type": "object", "properties": outputs, "required": [path for path in known if path in always]}
    return _holds(
        name=TEXT,
        file=_or_null({**TEXT, "description": "null: data from Python"}),
        line=LINE,
        status={"enum": list(STATUSES)},
        reason=_or_null(TEXT),
        advice=_or_null({**TEXT, "description": "what it lacks of memory, and what would fit"}),
        tags=_many(TEXT),
        limits=_many({"$ref": "#/$defs/Limit"}),
        baseline=_or_null({"$ref": "#/$defs/Baseline"}),
        outputs=_or_null(every),
        warnings=_many(TEXT),
        extrapolated=_many({**TEXT, "description": "bands that rest on other hardware or models than the check's"}),
        errors=_many({"$ref": "#/$defs/Problem"}),
    )


def _limit() -> Schema:
    return _holds(
        "a limit, and whether it holds",
        output={"enum": list(by_path())},
        unit={"enum": sorted({output.unit for output in by_path().values()})},
        side={"enum": list(SIDES)},
        limit=_any("number", "boolean", "string"),
        confidence={"enum": ["projection", "pessimistic"]},
        value=_any("number", "boolean", "string", "null"),
        holds=BOOLEAN,
        margin=_or_null({**NUMBER, "description": "room up to the limit, relative to it; below 0 beyond it"}),
        file=_or_null(TEXT),
        line=LINE,
        column=LINE,
    )


def _baseline() -> Schema:
    value = _any("number", "boolean", "string", "null")
    relative = _or_null({**NUMBER, "description": "change over the value before"})
    drift = _holds(output=TEXT, before=value, after=value, relative=relative)
    return _holds("against the lock file", drifted=BOOLEAN, drifts=_many(drift), causes=_many(TEXT))


def _problem() -> Schema:
    whole = _holds(
        "something wrong with the input",
        message=TEXT,
        path={**TEXT, "description": "dotted path of the key; empty: the whole"},
        file=_or_null(TEXT),
        line=LINE,
        allowed=_many(TEXT),
        suggestion=_or_null(TEXT),
    )
    return {**whole, "properties": {**whole["properties"], "column": LINE}}


def _value(path: str, output: Output) -> Schema:
    """An output; a number that does not exist is null."""
    if output is BOUND_BY:
        return {"enum": [*RESOURCES, None], "description": output.description}
    kind = "boolean" if output.name in BOOLEANS else "number"
    unit = f" [{output.unit}]" if output.unit else ""
    return {"type": [kind, "null"], "description": f"{path}: {output.description}{unit}"}


def _holds(description: str = "", **properties: Schema) -> Schema:
    """A mapping that has all of these keys."""
    said = {"description": description} if description else {}
    return {"type": "object", **said, "properties": properties, "required": list(properties)}


def _many(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _mapping(of: Schema, description: str = "") -> Schema:
    return {"type": "object", "additionalProperties": of, **({"description": description} if description else {})}


def _any(*kinds: str) -> Schema:
    return {"type": list(kinds)}


def _or_null(of: Schema) -> Schema:
    return {"anyOf": [of, {"type": "null"}]}


def _version(number: int) -> Schema:
    return {"const": number}
