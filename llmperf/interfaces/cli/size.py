"""``llmperf size``: from users to machines."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.options import Request, number, scenario_command

DEMAND, LIMITS, SEARCH = "Demand", "Limits", "Search"

USERS = typer.Option("--users", help="Users, each with one request at a time.", metavar="N", rich_help_panel=DEMAND)
THINK = typer.Option(
    "--think-time",
    help="What a user reads or types before the next request: 20s; by default nothing.",
    metavar="TIME",
    rich_help_panel=DEMAND,
)
CONCURRENCY = typer.Option("--concurrency", help="Requests in flight.", metavar="N", rich_help_panel=DEMAND)
RATE = typer.Option("--rate", help="Requests a second, as they come.", metavar="RATE", rich_help_panel=DEMAND)
SPEED = typer.Option(
    "--speed",
    help="Tokens a second that each user reads: 30tok/s; limits TPOT.",
    metavar="RATE",
    rich_help_panel=LIMITS,
)
PERCENTILE = typer.Option(
    "--percentile",
    help="Of all requests, which keeps every limit: 50, 90 (the default) or 99.",
    metavar="P",
    rich_help_panel=LIMITS,
)
CONFIDENCE = typer.Option(
    "--confidence",
    help="pessimistic: times at the unfavourable end of their error band keep the limits.",
    metavar="projection|pessimistic",
    rich_help_panel=LIMITS,
)
HEADROOM = typer.Option(
    "--headroom",
    help="Share of what a copy serves within its limits that is kept free: 0.2.",
    metavar="SHARE",
    rich_help_panel=LIMITS,
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
)


def _limit(name: str, text: str) -> Any:
    return typer.Option(f"--{name}", help=text, metavar="TIME", rich_help_panel=LIMITS)


@scenario_command
def size(
    request: Request,
    users: Annotated[str | None, USERS] = None,
    think_time: Annotated[str | None, THINK] = None,
    concurrency: Annotated[str | None, CONCURRENCY] = None,
    rate: Annotated[str | None, RATE] = None,
    speed: Annotated[str | None, SPEED] = None,
    ttft: Annotated[str | None, _limit("ttft", "Longest time to the first token: 2s.")] = None,
    tpot: Annotated[str | None, _limit("tpot", "Longest mean time between tokens of a request: 40ms.")] = None,
    itl: Annotated[str | None, _limit("itl", "Longest time between two tokens.")] = None,
    e2e: Annotated[str | None, _limit("e2e", "Longest time to the last token: 20s.")] = None,
    percentile: Annotated[str | None, PERCENTILE] = None,
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

    given = {
        "users": users,
        "think_time": think_time,
        "concurrency": concurrency,
        "request_rate": rate,
        "speed": speed,
        "ttft": ttft,
        "tpot": tpot,
        "itl": itl,
        "e2e": e2e,
        "percentile": percentile,
    }
    said = {name: number(text) for name, text in given.items() if text is not None}
    keys = {**_several(request.overrides), **said}
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
