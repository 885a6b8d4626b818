"""What a check that the memory breaks lacks, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from llmperf.checks.deployed import LONGEST
from llmperf.checks.evaluation import ABOUT_MEMORY, Result, Verdict, judged
from llmperf.errors import InputError
from llmperf.words.quantities import count, gib

if TYPE_CHECKING:
    from llmperf.scenarios.binding import Resolved

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
    """Single changes with each of which the whole check passes."""
    from llmperf.answers.answer import answer
    from llmperf.answers.remedies import remedies
    from llmperf.scenarios.resolve import resolve

    holds = partial(_holds, result)
    try:
        resolved = resolve(result.check.scenario, {}, extra)
        found = [*(_shorter(result, resolved) if broken == LONGEST else ())]
        evaluated = answer(resolved).evaluated[0]
        found += remedies(resolved, evaluated, holds)
        partly = remedies(resolved, evaluated) if broken == "fits" and not found else []
    except InputError:
        return ""
    if found:
        return f"; would fit with {' or '.join(found)}"
    none = "; no single change would make it pass"
    return f"{none}, though it would fit with {' or '.join(partly)}" if partly else none


def _holds(result: Result, resolved: Resolved) -> bool:
    """Whether a changed scenario keeps all limits of a check."""
    from llmperf.answers.answer import answer
    from llmperf.answers.values import values
    from llmperf.checks.tasks import Answered

    asked = answer(resolved)
    answered = Answered(next(values(asked, 1)), asked.scenario, (), ())
    verdicts = [judged(limit, answered) for limit in result.check.limits]
    return answered.values.get("fits") is not False and all(isinstance(one, Verdict) and one.holds for one in verdicts)


def _shorter(result: Result, resolved: Resolved) -> Iterator[str]:
    """The longest context with which the server holds as many of the longest sequences as it must."""
    from llmperf.answers.remedies import helps

    number = max(one.limit.value for one in result.verdicts if one.limit.output == LONGEST)
    pool = result.answered.values["kv_pool_tokens"] if result.answered else None
    block = int(resolved.scenario.engine.kv_block)
    tokens = int(pool / number) // block * block if pool and number >= 1 else 0
    if tokens > 0 and helps(resolved, {"model.max_context": tokens}, partial(_holds, result)):
        yield f"a longest context of {count(tokens)} tokens"
