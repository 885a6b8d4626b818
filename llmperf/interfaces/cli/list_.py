"""``llmperf list``: what the catalog holds."""

from __future__ import annotations

from typing import Annotated

import typer

from llmperf.interfaces.cli.options import CATALOG, JSON


def list_(
    kind: Annotated[str | None, typer.Argument(help="Only this kind.", metavar="[KIND]")] = None,
    name: Annotated[
        str | None, typer.Argument(help="Only what has this in its name or an alias.", metavar="[NAME]")
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="What descriptors lack, and which answers that forbids.")
    ] = False,
    catalog: Annotated[list[str] | None, CATALOG] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Which models, hardware, formats and engines are there?

    Example: llmperf list hardware

    Those of one name: llmperf list hardware h100
    """
    if missing:
        _list_missing(tuple(catalog or ()), as_json)
        return
    from llmperf.interfaces.shelf.inventory import inventory

    found = inventory(kind, tuple(catalog or ()), name)
    if as_json:
        from llmperf.interfaces.cli import print_json

        print_json({"schema_version": 1, "catalog": found})
        return
    from llmperf.interfaces.console.inventory import show

    show(found)


def _list_missing(catalog: tuple[str, ...], as_json: bool) -> None:
    from llmperf.interfaces.shelf.gaps import gaps

    found = gaps(catalog)
    if as_json:
        from llmperf.interfaces.cli import print_json

        print_json({"schema_version": 1, "missing": found})
        return
    from llmperf.interfaces.console.inventory import show_gaps

    show_gaps(found)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("list")(list_)
