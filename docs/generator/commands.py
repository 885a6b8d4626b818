"""The reference of the command line, from the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from generator.markup import Page, code, markdown, page, table
from llmperf.interfaces.cli import app


def pages() -> Iterator[Page]:
    """One page for all commands."""
    application = typer.main.get_command(app())
    parts = [
        f"{application.help} Every command prints its help with `--help`. Exit codes: 0 done, 1 a check failed, 2 the "
        "input is wrong.",
    ]
    for name, command in application.commands.items():  # type: ignore[attr-defined]
        parts += [f"## llmperf {name}", *_command(command)]
    yield page("reference/cli.md", "Command line", *parts)


def _command(command: Any) -> Iterator[str]:
    text, _, example = (command.help or "").partition("Example:")
    yield markdown(" ".join(text.split()))
    if example:
        yield f"```\n{' '.join(example.split())}\n```"
    context = typer.Context(command, info_name=command.name)
    panels: dict[str, list[tuple[Any, ...]]] = {}
    for parameter in command.params:
        record = parameter.get_help_record(context)  # None where it is hidden
        if record is not None:
            panel = getattr(parameter, "rich_help_panel", None) or f"{parameter.param_type_name}s".capitalize()
            panels.setdefault(panel, []).append((code(" ".join(record[0].split())), " ".join(record[1].split())))
    for panel, rows in panels.items():
        yield table((panel, ""), rows)
