"""``llmperf ops``: the operator table of a step."""

from __future__ import annotations

from typing import Annotated

import typer

from llmperf.interfaces.cli.options import Request, scenario_command


@scenario_command
def ops(
    request: Request,
    phase: Annotated[
        str | None,
        typer.Option(
            help="One step only; mixed: decoding sequences and a chunk of a prompt together.",
            metavar="prefill|decode|mixed",
        ),
    ] = None,
) -> None:
    """Which operators does a step run, how long does each take, and what limits it?

    Example: llmperf ops --model mixtral-8x7b --hardware h100-sxm --tp 2 --batch 16 --phase decode
    """
    from llmperf.contract.answers import operators_dict

    data = operators_dict(request.resolved(), phase)
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(data))
        return
    from llmperf.interfaces.console.ops import show

    show(data)
    request.show_findings()


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("ops")(ops)
