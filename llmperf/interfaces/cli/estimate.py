"""``llmperf estimate``: how fast, does it fit, what limits it."""

from __future__ import annotations

import typer

from llmperf.interfaces.cli.options import Request, scenario_command


@scenario_command
def estimate(request: Request) -> None:
    """How fast is it, does it fit, and what limits it?

    Example: llmperf estimate --model llama-3.1-70b --hardware h100-sxm --tp 8 --weights fp8 --batch 32
    """
    from llmperf.interfaces.results import answer

    result = answer(request.resolved())
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(result.to_dict()))
        return
    from llmperf.interfaces.console.estimate import show

    show(result)
    request.show_findings()


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("estimate")(estimate)
