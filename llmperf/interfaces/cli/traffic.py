"""``llmperf traffic``: what a request trace says of traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.options import FORCE, JSON


def traffic(
    trace: Annotated[
        Path,
        typer.Argument(help="CSV (Azure, BurstGPT, ...), JSON lines (Mooncake, aiperf), or chats.", metavar="FILE"),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The traffic to write, for --traffic.", metavar="FILE.yaml")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Which column has the time, input, output or session.", metavar="ROLE=NAME"),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Count only requests with this value.", metavar="COLUMN=VALUE")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option("--time-unit", help="Of times, where the trace does not say: s, ms, us or ns.")
    ] = None,
    chars_per_token: Annotated[
        float | None, typer.Option("--chars-per-token", help="Characters of a token; texts need it.", metavar="N")
    ] = None,
    first_turn: Annotated[
        bool, typer.Option("--first-turn", help="Of each chat only the first exchange, as vLLM's benchmark does.")
    ] = False,
    force: Annotated[bool, FORCE] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What traffic is in this request trace: rate, burstiness, lengths, reuse of prefixes?

    Example: llmperf traffic trace.jsonl --out mine.yaml

    Then: llmperf serve --model llama-3.1-8b --hardware h100-sxm --traffic mine.yaml
    """
    from llmperf.importers.traces.statistics import traffic as counted

    found = counted(
        trace,
        columns=_pairs("--column", column),
        where=_pairs("--where", where),
        time_unit=time_unit,
        chars_per_token=chars_per_token,
        first_turn=first_turn,
    )
    if out is not None:
        from llmperf.contract.traffic import entry_text
        from llmperf.interfaces.shelf.scaffold import written

        written(out, entry_text(found), force)
    if as_json:
        from llmperf.contract.traffic import to_dict
        from llmperf.interfaces.cli import print_json

        print_json({**to_dict(found), **({"written": str(out)} if out is not None else {})})
        return
    from llmperf.interfaces.console.traffic import show

    show(found, out)


def _pairs(flag: str, given: list[str] | None) -> dict[str, str]:
    """Names and values of an option that may come several times."""
    out = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(
                Problem(f"{text[:60]!r} is not name=value", flag, suggestion=f"{flag} input=prompt_tokens")
            )
        out[name.strip()] = value.strip()
    return out


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("traffic")(traffic)
