"""``llmperf memory``: what each device holds, and what would fit."""

from __future__ import annotations

import typer

from llmperf.interfaces.cli.options import Request, scenario_command


@scenario_command
def memory(request: Request) -> None:
    """What does each device hold, does it fit, and what would make it fit?

    Example: llmperf memory --model llama-3.1-405b --hardware h100-sxm --tp 8 --weights fp8 --input 8000
    """
    from llmperf.answers.answer import answer
    from llmperf.contract.answers import memory_dict

    result = answer(request.resolved())
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(memory_dict(result)))
        return
    from llmperf.interfaces.console.memory import show

    show(result)
    request.show_findings()


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("memory")(memory)
