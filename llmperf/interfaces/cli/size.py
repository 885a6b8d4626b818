"""``llmperf size``: from users to machines."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.options import Request, number, scenario_command

SEARCH = "Size"

SPEED = typer.Option(
    "--speed",
    help="Tokens a second that each user reads: 30tok/s; limits TPOT.",
    metavar="RATE",
    rich_help_panel=SEARCH,
)
CONFIDENCE = typer.Option(
    "--confidence",
    help="pessimistic: times at the unfavourable end of their error band keep the limits.",
    metavar="projection|pessimistic",
    rich_help_panel=SEARCH,
)
HEADROOM = typer.Option(
    "--headroom",
    help="Share of what a copy serves within its limits that is kept free: 0.2.",
    metavar="SHARE",
    rich_help_panel=SEARCH,
)
MOST = typer.Option("--devices-max", help="Most devices of all copies together.", metavar="N", rich_help_panel=SEARCH)
LAYOUTS = typer.Option(
    "--layouts",
    help="Layouts of each chip and format: by default the best, or the five best of a single one.",
    metavar="N",
    rich_help_panel=SEARCH,
)
EMIT = typer.Option(
    "--emit",
    help="Print the launch line of the best, or the manifest of all its copies, instead.",
    metavar="vllm|sglang|trtllm|kubernetes",
    rich_help_panel=SEARCH,
)


@scenario_command
def size(
    request: Request,
    speed: Annotated[str | None, SPEED] = None,
    confidence: Annotated[str, CONFIDENCE] = "projection",
    headroom: Annotated[float, HEADROOM] = 0.0,
    devices_max: Annotated[float, MOST] = math.inf,
    layouts: Annotated[int | None, LAYOUTS] = None,
    emit: Annotated[str | None, EMIT] = None,
) -> None:
    """How many devices do my users need, of which chip, in which layout, and what does that cost?

    Example: llmperf size --model gpt-oss-120b --users 200 --speed 30tok/s --ttft 2s --hardware h100-sxm,h200-sxm

    Of a rate, with another price: llmperf size --model qwen3-32b --rate 4 --e2e 20s --hardware l40s --rent 1.1

    What to run: llmperf size --model llama-3.1-8b --users 50 --speed 20tok/s --hardware l40s --engine vllm --emit vllm
    """
    from llmperf.interfaces.sizing import size as sized

    keys = _several(request.overrides)
    if speed is not None:
        keys["speed"] = number(speed)
    keywords: dict[str, Any] = {"headroom": headroom, "devices_max": devices_max, "layouts": layouts}
    with request.locating():
        found = sized(request.scenario, catalog=request.catalog, confidence=confidence, **keywords, **keys)
    if emit is not None:
        print(found.emit(emit), end="")
        return
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(found.to_dict()))
        return
    from llmperf.interfaces.console.size import show

    show(found)
    request.show_findings()


def _several(overrides: dict[str, Any]) -> dict[str, Any]:
    """Flags with the lists that some of them hold: ``--hardware h100-sxm,h200-sxm``, ``--rent h100-sxm=2,l40s=0.9``.

    Raises
    ------
    InputError
        If a list of rents has one that is no ``name=rent``.
    """
    from llmperf.answers.alternatives import AXES

    found = dict(overrides)
    for name in AXES:
        if isinstance(found.get(name), str) and "," in found[name]:
            found[name] = [part.strip() for part in found[name].split(",") if part.strip()]
    if isinstance(found.get("rent"), str) and "=" in found["rent"]:
        pairs = [part.partition("=") for part in found["rent"].split(",")]
        wrong = [name for name, equals, value in pairs if not (name.strip() and equals and value.strip())]
        if wrong:
            text = f"{wrong[0][:40]!r} is no hardware=rent"
            raise InputError(Problem(text, "--rent", suggestion="--rent h100-sxm=2.1,h200-sxm=3"))
        found["rent"] = {name.strip(): number(value.strip()) for name, _, value in pairs}
    return found


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("size")(size)
