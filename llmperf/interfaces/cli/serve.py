"""``llmperf serve``: a service under its traffic."""

from __future__ import annotations

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.options import Request, scenario_command


@scenario_command
def serve(request: Request) -> None:
    """What do the users of a service see: waiting, speed, percentiles, and when does it saturate?

    The steady state, solved and not simulated.

    Example: llmperf serve --model llama-3.1-70b --hardware h100-sxm --tp 4 --engine vllm --rate 4 --input 1k

    Users, and limits: llmperf serve --model llama-3.1-8b --hardware l40s --users 50 --think-time 20s --ttft 1s
    """
    from llmperf.answers.answer import answer

    resolved = request.resolved()
    if resolved.template.traffic is None:
        text = "says nothing of how requests come"
        raise InputError(
            Problem(text, "traffic", suggestion="--rate 4, --concurrency 32, --users 50 or --requests 500")
        )
    result = answer(resolved)
    if request.as_json:
        from llmperf.contract.answers import estimate_dict
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(estimate_dict(result)))
        return
    from llmperf.interfaces.console.serve import show

    show(result)
    request.show_findings()


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("serve")(serve)
