"""``llmperf schema``: what a document may hold, and what the outputs mean."""

from __future__ import annotations

from typing import Annotated

import typer

from llmperf.interfaces.cli.options import JSON


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            help="scenario, check, check-results, check-lock, a kind of descriptor, outputs, or comparison.",
            metavar="[KIND]",
        ),
    ] = "scenario",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What may a scenario or descriptor hold (JSON Schema), and what do the outputs mean?

    Example: llmperf schema outputs
    """
    from llmperf.contract.outputs import outputs
    from llmperf.interfaces.shelf.schemas import schema_of

    if kind == "outputs" and not as_json:
        from llmperf.interfaces.console.schema import show_outputs

        show_outputs()
        return
    from llmperf.interfaces.cli import print_json

    print_json(outputs() if kind == "outputs" else schema_of(kind))


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("schema")(schema)
