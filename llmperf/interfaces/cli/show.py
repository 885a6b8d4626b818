"""``llmperf show``: one entry of the catalog, each number with its source."""

from __future__ import annotations

from typing import Annotated

import typer

from llmperf.interfaces.cli.options import CATALOG, JSON


def show(
    name: Annotated[str, typer.Argument(help="Name, alias or file of an entry.", metavar="NAME")],
    kind: Annotated[str | None, typer.Option(help="Its kind, where several have that name.")] = None,
    catalog: Annotated[list[str] | None, CATALOG] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What does an entry of the catalog say, and where is each number from?

    Example: llmperf show h100-sxm
    """
    from llmperf.interfaces.shelf.inventory import entry

    found = entry(name, kind, tuple(catalog or ()))
    if as_json:
        from llmperf.interfaces.cli import print_json

        print_json({"schema_version": 1, **found})
        return
    from llmperf.interfaces.console.inventory import show_entry

    show_entry(found)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("show")(show)
