"""``llmperf compare``: configurations side by side, or a measured run beside bound and projection."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from llmperf import units
from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.options import Request, keyed, number, scenario_command

MOST = 64
"""Configurations of one ``--with``."""

WITH = typer.Option(
    "--with",
    help="A further configuration: the first scenario with these keys changed: --with weights=fp8,kv_cache=fp8; with "
    "several values one for each: --with batch=1,2,4 or batch=1..64 (doubled).",
    metavar="KEY=VALUE[,...]",
)
MEASURED = typer.Option(
    "--measured",
    help="Output of vllm bench, trtllm-bench, sglang bench_serving, aiperf, genai-perf or llama-bench.",
    metavar="FILE",
)
MAX_ERROR = typer.Option(
    "--max-error",
    help="Exit with 1 if a projection is off by more than this fraction of the measurement: 0.3.",
    metavar="FRACTION",
)


@partial(scenario_command, several=True)
def compare(
    request: Request,
    changes: Annotated[list[str] | None, WITH] = None,
    measured: Annotated[Path | None, MEASURED] = None,
    max_error: Annotated[float | None, MAX_ERROR] = None,
) -> None:
    """What makes the difference between configurations? Or: how far is my own run from what is possible?

    Example: llmperf compare --model llama-2-7b --hardware a100-sxm-80gb --batch 32 --with kv_cache=int4

    Scenarios: llmperf compare mine.yaml theirs.yaml --batch 64

    What memory buys: llmperf compare mine.yaml --maximize batch --with kv_cache=fp8 --with kv_cache=int4

    Your own run: llmperf compare --measured result.json --hardware h100-sxm
    """
    if measured is not None:
        if request.others or changes:
            raise InputError(Problem("compares a run with one scenario, without --with", "--measured"))
        _measured(request, measured, max_error)
        return
    if max_error is not None:
        raise InputError(Problem("serves --measured only", "--max-error"))
    if not request.others and not changes:
        text = "needs two configurations: scenarios, or what differs; or the output file of a benchmark"
        raise InputError(Problem(text, "compare", suggestion="--with kv_cache=fp8, or --measured result.json"))
    from llmperf.answers.comparison import compare as compared
    from llmperf.contract.comparison import comparison_dict
    from llmperf.scenarios.names import Whole

    others = [Whole(one) if isinstance(one, dict) else one for one in request.others]
    variants = several(changes or ())
    with request.locating(*variants):
        found = compared(request.scenario, *others, *variants, catalog=request.catalog, **request.overrides)
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(comparison_dict(found)))
        return
    from llmperf.interfaces.console.comparison import show

    show(found)
    request.show_findings()


def several(changes: Iterable[str]) -> list[dict[str, Any]]:
    """The configurations of several ``--with``: of keys with several values, one for each combination.

    Raises
    ------
    InputError
        If something is no ``key=value``, is given twice, or makes too many configurations.
    """
    found: list[dict[str, Any]] = []
    for text in changes:
        pairs = [(key, _values(key, value)) for key, value in assignments(text)]
        if math.prod(len(values) for _, values in pairs) > MOST:
            raise InputError(Problem(f"{text[:60]!r} makes more than {MOST} configurations", "--with"))
        found += [dict(zip([key for key, _ in pairs], one, strict=True)) for one in product(*(of for _, of in pairs))]
    return found


def _values(key: str, value: Any) -> list[Any]:
    """The values that a text lists: ``1,2,4``, or ``1..64``, each twice the one before."""
    if not isinstance(value, str):
        return [value]
    ends = [units.count(end) or number(end) for end in value.split("..")]
    if len(ends) == 2 and all(type(end) in (int, float) for end in ends) and 0 < ends[0] <= ends[1]:
        steps = [ends[0] * 2**power for power in range(int(math.log2(ends[1] / ends[0])) + 1)]
        return steps if steps[-1] == ends[1] else [*steps, ends[1]]
    return [keyed(key, part.strip()) for part in value.split(",") if part.strip()] or [value]


def assignments(text: str) -> Iterator[tuple[str, Any]]:
    """The keys and values of one ``--with``; a value in braces or brackets is YAML.

    Raises
    ------
    InputError
        If something is no ``key=value``, or is given twice.
    """
    seen: set[str] = set()
    for part in _split(text):
        key, equals, value = (word.strip() for word in part.partition("="))
        key = key.replace("-", "_") if "." not in key else key
        if not equals or not key or not value:
            raise InputError(Problem(f"{part[:60]!r} is not key=value", "--with", suggestion="--with kv_cache=fp8"))
        if key in seen:
            raise InputError(Problem(f"{key} stands twice", "--with"))
        seen.add(key)
        yield key, _inline(value) if value[0] in "{[" else keyed(key, value)


def _split(text: str) -> list[str]:
    """`text` at its commas, those inside of braces and before what is no key (``tiers=hbm,dram``) left alone."""
    parts, depth = [""], 0
    for index, character in enumerate(text):
        depth += (character in "{[") - (character in "}]")
        if character == "," and depth == 0 and re.match(r"\s*[\w.-]+\s*=", text[index + 1 :]):
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _inline(value: str) -> Any:
    from llmperf.files.yaml import parse_yaml

    return parse_yaml(value.encode(), "--with").data


def _measured(request: Request, measured: Path, max_error: float | None) -> None:
    """A run beside what is predicted for it."""
    if max_error is not None and not 0.0 <= max_error < float("inf"):
        raise InputError(Problem(f"{max_error:g} is not a fraction of 0 or more", "--max-error", suggestion="0.3"))
    from llmperf.evidence.runs import compare as compared
    from llmperf.evidence.runs import read

    found = list(compared(read(measured), request.scenario, request.overrides, *request.catalog))
    if request.as_json:
        from llmperf.contract.runs import plain
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(plain(found)))
    else:
        from llmperf.interfaces.console.compare import show

        show(found)
        request.show_findings()
    errors = [abs(row.error) for item in found for row in item.rows]
    if max_error is not None and (not errors or max(errors) > max_error):
        raise typer.Exit(1)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("compare")(compare)
