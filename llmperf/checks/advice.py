"""What a check that the memory breaks lacks, and what would make it fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llmperf.checks.deployed import LONGEST
from llmperf.checks.evaluation import ABOUT_MEMORY, Result
from llmperf.errors import InputError
from llmperf.words.quantities import count, gib

MOST = 50
"""Most checks for which remedies are sought: each is a dozen estimates."""


def advised(results: Sequence[Result], extra: tuple[str, ...]) -> list[Result]:
    """Results, those that the memory breaks with what they lack and what would fit."""
    out, left = [], MOST
    for result in results:
        broken = _broken(result)
        if broken:
            text = _lack(result, broken)
            if left > 0:
                text += _would_fit(result, broken, extra)
                left -= 1
            result = replace(result, advice=text)
        out.append(result)
    return out


def _broken(result: Result) -> str:
    """The output about memory that breaks a check: ``fits``, or how many of the longest sequences there are."""
    if result.status != "failed" or result.answered is None:
        return ""
    expected = any(one.holds and one.limit.output in ABOUT_MEMORY for one in result.verdicts)
    if result.answered.values.get("fits") is False:
        return "" if expected else "fits"
    return LONGEST if any(one.limit.output == LONGEST and not one.holds for one in result.verdicts) else ""


def _lack(result: Result, broken: str) -> str:
    """How much memory a check needs, and how much it has."""
    assert result.answered is not None
    values, scenario = result.answered.values, result.answered.scenario
    if broken == LONGEST:
        return (
            f"a sequence of the longest context has {count(scenario.model.max_context)} tokens, "
            f"the KV pool {count(values['kv_pool_tokens'])}"
        )
    devices = int(scenario.parallelism.devices)
    each = "" if devices == 1 else " each"
    return (
        f"needs {gib(values['required'], 1)} GiB{each}, has {gib(values['usable'], 1)} GiB{each} "
        f"on {devices} x {scenario.hardware.name}"
    )


def _would_fit(result: Result, broken: str, extra: tuple[str, ...]) -> str:
    from llmperf.answers.answer import answer
    from llmperf.answers.remedies import remedies
    from llmperf.scenarios.resolve import changed, resolve

    try:
        resolved = resolve(result.check.scenario, {}, extra)
        if broken == LONGEST:
            longest: Any = resolved.scenario.model.max_context
            resolved = changed(resolved, {"batch": 1, "input": int(longest) - 1, "output": 1})
        found = remedies(resolved, answer(resolved).evaluated[0])
    except InputError:
        return ""
    if broken == LONGEST and result.answered is not None and (pool := result.answered.values["kv_pool_tokens"]) > 1:
        found = [f"a longest context of {count(int(pool))} tokens", *found]
    return f"; would fit with {' or '.join(found)}" if found else "; no single change would make it fit"
