"""What `llmperf compare --json` prints, with its schema."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from llmperf.answers.comparison import Comparison
from llmperf.answers.differences import Difference, Part, PartChange, PhaseChange
from llmperf.answers.questions import QUESTIONS
from llmperf.contract.answers import SCHEMA_VERSION, estimate_dict
from llmperf.files.documents import finite
from llmperf.outputs import PHASES
from llmperf.version import __version__
from llmperf.words.difference import explanation

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """What ``llmperf compare`` prints of configurations side by side; `difference` and all in it are to the first."""

    def holds(description: str = "", **properties: Any) -> dict[str, Any]:
        said = {"description": description} if description else {}
        return {"type": "object", **said, "properties": properties, "required": list(properties)}

    def many(of: Any) -> dict[str, Any]:
        return {"type": "array", "items": of}

    number, text = {"type": ["number", "null"]}, {"type": "string"}
    change = holds("a number before and after", name=text, unit=text, before=number, after=number)
    wait = holds("what takes longest", part=text, kind=text, resource=text, quantity=text, share=number)
    waits = {"type": "object", "additionalProperties": number, "description": "time by resource [s]"}
    part = holds(
        "operators of a kind, an operator that only one of both has, or what else is waited for",
        part=text,
        kind=text,
        before_s=number,
        after_s=number,
        effect_s=number,
        waits_s=holds(before=waits, after=waits),
        work=many(change),
    )
    phase = holds(
        "the largest effect first; the parts add up to the time",
        phase={"enum": list(PHASES)},
        per={"enum": list(dict.fromkeys(kind.per[each] for each in (0, 1) for kind in PHASES.values()))},
        before_s=number,
        after_s=number,
        longest_wait=holds(before=wait, after=wait),
        parts=many(part),
    )
    difference = holds(
        workload=many(change), phases=many(phase), memory_bytes_per_device=many(change), capacity=many(change)
    )
    configuration = holds(
        "as llmperf estimate --json, and beside it:",
        label=text,
        speedup=_speedup(number),
        difference={"anyOf": [difference, {"type": "null"}]},
        explanation={"anyOf": [many(text), {"type": "null"}]},
    )
    whole = holds(
        schema_version={"type": "integer"}, llmperf_version=text, configurations=many(configuration), notes=many(text)
    )
    return {"$schema": DIALECT, "title": "Comparison", **whole}


def _speedup(number: Any) -> dict[str, Any]:
    """Ratios by definition; what the answers to all questions have is required."""
    every = [[part for part in question.parts if part.definition] for question in QUESTIONS.values()]
    out: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for name in dict.fromkeys(part.name for parts in every for part in parts):
        those = [
            [one.name for part in parts if part.name == name for one in part.outputs if one.better] for parts in every
        ]
        properties = {output: number for outputs in those for output in outputs}
        out["properties"][name] = {
            "type": "object",
            "description": "how many times better than the first",
            "properties": properties,
            "required": [output for output in properties if all(output in outputs for outputs in those)],
        }
        out["required"] += [name] if all(those) else []
    return out


def comparison_dict(found: Comparison) -> dict[str, Any]:
    """Plain data as ``llmperf compare --json`` prints it: SI units, null for what does not exist."""
    configurations = []
    for index, (label, result) in enumerate(zip(found.labels, found.results, strict=True)):
        data = estimate_dict(result)
        del data["schema_version"], data["llmperf_version"]
        known: dict[str, Any] = {"label": label, **data}
        known["speedup"] = {name: found.speedup(index, name) for name in found.definitions}
        known["difference"] = difference_dict(found.difference(index)) if index else None
        known["explanation"] = explanation(found, index) if index else None
        configurations.append(known)
    plain: dict[str, Any] = finite(
        {
            "schema_version": SCHEMA_VERSION,
            "llmperf_version": __version__,
            "configurations": configurations,
            "notes": found.notes,
        }
    )
    return plain


def difference_dict(found: Difference) -> dict[str, Any]:
    """What differs between two configurations as plain data."""
    return {
        "workload": [asdict(change) for change in found.workload],
        "phases": [_phase(phase) for phase in found.phases],
        "memory_bytes_per_device": [asdict(change) for change in found.memory],
        "capacity": [asdict(change) for change in found.capacity],
    }


def _phase(phase: PhaseChange) -> dict[str, Any]:
    return {
        "phase": phase.name,
        "per": phase.per,
        "before_s": phase.time.before,
        "after_s": phase.time.after,
        "longest_wait": {"before": asdict(phase.longest[0]), "after": asdict(phase.longest[1])},
        "parts": [_part(part) for part in phase.parts],
    }


def _part(part: PartChange) -> dict[str, Any]:
    return {
        "part": part.name,
        "kind": part.kind,
        "before_s": part.time.before,
        "after_s": part.time.after,
        "effect_s": part.effect_s,
        "waits_s": {"before": _waits(part.before), "after": _waits(part.after)},
        "work": [asdict(change) for change in part.work],
    }


def _waits(part: Part | None) -> dict[str, float]:
    return dict(part.waits) if part else {}
