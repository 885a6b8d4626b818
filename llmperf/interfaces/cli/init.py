"""``llmperf init``: a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.options import CATALOG, JSON


def init(
    kind: Annotated[str, typer.Argument(help="model, hardware, scenario or check.", metavar="KIND")],
    path: Annotated[
        Path,
        typer.Argument(help="The file to write, its stem becomes the name; of a check, its scenario.", metavar="FILE"),
    ],
    output: Annotated[
        Path | None,
        typer.Argument(help="Of a check: the file to write, if not beside the scenario.", metavar="[OUTPUT]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    catalog: Annotated[list[str] | None, CATALOG] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Where do I start with a model, a chip, a scenario or a check of my own?

    Example: llmperf init scenario my-scenario.yaml

    A check with today's values: llmperf init check my-scenario.yaml
    """
    from llmperf.interfaces.shelf.scaffold import check_scaffold, scaffold

    if kind == "check":
        written = check_scaffold(str(path), output, force, tuple(catalog or ()))
    elif output is not None:
        raise InputError(Problem("serves checks only", "OUTPUT"))
    else:
        written = scaffold(kind, path, force)
    if as_json:
        from llmperf.interfaces.cli import print_json

        print_json({"schema_version": 1, "written": str(written)})
        return
    print(f"wrote {written}")


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("init")(init)
