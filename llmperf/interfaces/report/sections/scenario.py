"""What was computed, in full: the resolved scenario, where its numbers are from, and with which versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.contract.answers import SCHEMA_VERSION, plain, scenario_dict
from llmperf.interfaces.report.html import Html, details, h, table
from llmperf.interfaces.report.inputs import Inputs, catalog_hash
from llmperf.interfaces.report.page import facts, plotly_version
from llmperf.version import __version__
from llmperf.words.scenario import devices

TITLE = "Scenario and sources"


def applies(inputs: Inputs) -> bool:
    """Always: a report says what it was made with."""
    return bool(inputs)


def render(inputs: Inputs) -> Iterator[Html]:
    """Facts of each scenario, its whole, its sources; what became of deployment files; versions."""
    for name, result in inputs.results.items():
        yield h("h3", name)
        yield facts(_facts(result))
        yield details("The whole scenario, resolved", h("pre", _whole(result), tabindex=0))
        rows = list(_sources(result))
        yield details(f"Where its numbers are from ({len(rows)} sources)", table(("value", "source"), rows, text=2))
    for one in inputs.deployments:
        said = one.to_dict()
        yield h("h3", f"{said['format']} {said['name']}, {said['file']}")
        yield table(("line", "written", "what became of it", "value", "why"), _findings(said["findings"]), text=5)
    yield h("h3", "Versions")
    yield facts(
        [
            ("llmperf", __version__),
            ("schema of the JSON", SCHEMA_VERSION),
            ("catalog", f"{catalog_hash(inputs.folders)} (SHA-256 of its names and contents)"),
            ("NumPy", np.__version__),
            ("plotly.js", plotly_version()),
        ]
    )


def _facts(result: Answer) -> list[tuple[str, Any]]:
    scenario = result.scenario
    layout, work = scenario.parallelism, scenario.workload
    ways = ", ".join(
        f"{name} {getattr(layout, name):g}"
        for name in ("tp", "pp", "dp", "ep", "cp", "replicas")
        if getattr(layout, name) != 1
    )
    return [
        ("Model", scenario.model.name),
        ("Hardware", devices(scenario)),
        ("Layout", ways or "one device"),
        ("Weights, activations", f"{scenario.weights.name}, {scenario.activations}"),
        ("KV cache", scenario.kv_cache.name),
        ("Engine, attention", f"{scenario.engine.name}, {scenario.attention.name}"),
        ("Workload", f"{work.batch:g} sequences of {work.input:g} prompt and {work.output:g} output tokens"),
        ("Constants", f"{scenario.hardware.achieved.name} ({scenario.hardware.achieved.basis})"),
    ]


def _findings(found: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """What became of everything that a deployment file says, what needs attention first."""
    order = ("not_understood", "not_modelled", "assumed", "understood", "ignored")
    for one in sorted(found, key=lambda one: order.index(one["kind"])):
        written = " ".join(part for part in (one["name"], one["value"]) if part)
        became = f"{one['path']} = {json.dumps(one['result'], ensure_ascii=False)}" if one["path"] else ""
        where = ":".join(str(part) for part in (one["file"], one["line"]) if part is not None)
        yield where, written, one["kind"].replace("_", " "), became, one["message"]


def _whole(result: Answer) -> str:
    """The scenario as ``estimate --json`` has it, without the sources, which stand below."""
    data: dict[str, Any] = plain(scenario_dict(result.scenario))
    for part in data.values():
        if isinstance(part, dict):
            part.pop("sources", None)
    return json.dumps(data, indent=2, ensure_ascii=False)


def _sources(result: Answer) -> Iterator[tuple[str, str]]:
    for item in fields(result.scenario):
        part = getattr(result.scenario, item.name)
        for key, source in (getattr(part, "sources", None) or {}).items():
            yield f"{item.name} {getattr(part, 'name', '')}: {key}", str(source)
