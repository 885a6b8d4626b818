"""``llmperf estimate``: how fast, does it fit, what limits it."""

from __future__ import annotations

from typing import Annotated

import typer

from llmperf.interfaces.cli.options import Request, scenario_command

EXPLAIN = typer.Option("--explain", help="In sentences: what limits it, what would help, how sure this is.")


@scenario_command
def estimate(request: Request, explain: Annotated[bool, EXPLAIN] = False) -> None:
    """How fast is it, does it fit, and what limits it?

    Example: llmperf estimate --model llama-3.1-70b --hardware h100-sxm --tp 8 --weights fp8 --batch 32

    In sentences, with what would help: llmperf estimate --model llama-3.1-8b --hardware l40s --batch 16 --explain

    A service, whose requests come and go, is llmperf serve: --rate, --concurrency or --users ask it here, too.
    """
    from llmperf.answers.answer import answer

    result = answer(request.resolved())
    if request.as_json:
        from llmperf.contract.answers import estimate_dict, plain
        from llmperf.interfaces.cli import print_json

        more = {}
        if explain:
            from llmperf.words.explain import explain as explained

            more["explanation"] = plain(explained(result).to_list())
        print_json(request.to_dict({**estimate_dict(result), **more}))
        return
    if explain:
        from llmperf.interfaces.console.explain import show as show_explanation

        show_explanation(result)
        request.show_findings()
        return
    if result.question == "serve":
        from llmperf.interfaces.console.serve import show
    else:
        from llmperf.interfaces.console.estimate import show
    show(result)
    request.show_findings()


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("estimate")(estimate)
