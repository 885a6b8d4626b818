"""``llmperf diff``: what differs between two results, term by term."""

from __future__ import annotations

from typing import Annotated

import typer

from llmperf.interfaces.cli.options import CATALOG, JSON

WHAT = "A scenario, a check (FILE#NAME), a lock file's entry (llmperf.lock.yaml#NAME), or estimate --json output."


def diff(
    before: Annotated[str, typer.Argument(help=WHAT, metavar="A")],
    after: Annotated[str, typer.Argument(help="The same; it is explained against A.", metavar="B")],
    catalog: Annotated[list[str] | None, CATALOG] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What differs between two results, and which term makes the difference?

    Example: llmperf diff llama-70b-8xh100 deepseek-v3-8xh200
    """
    from llmperf.checks.diff import diff as explained

    found = explained(before, after, catalog=tuple(catalog or ()))
    if as_json:
        from llmperf.interfaces.cli import print_json

        print_json(found.to_dict())
        return
    from llmperf.interfaces.console.difference import show

    show(found)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("diff")(diff)
