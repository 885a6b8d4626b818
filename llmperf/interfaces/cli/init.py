"""``llmperf init``: a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmperf.interfaces.cli.options import JSON


def init(
    kind: Annotated[str, typer.Argument(help="model, hardware or scenario.", metavar="KIND")],
    path: Annotated[Path, typer.Argument(help="The file to write; its stem becomes the name.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Where do I start with a model, a chip or a scenario of my own?

    Example: llmperf init scenario my-scenario.yaml
    """
    from llmperf.interfaces.scaffold import scaffold

    written = scaffold(kind, path, force)
    if as_json:
        from llmperf.interfaces.cli import print_json

        print_json({"schema_version": 1, "written": str(written)})
        return
    print(f"wrote {written}")


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("init")(init)
