"""``llmperf check``: do sizings still hold what was promised of them?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from llmperf.interfaces.cli.options import CATALOG, JSON


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Check files, or directories that hold some; by default this one.", metavar="[PATHS]"),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="text, json, junit, github, gitlab, sarif or markdown; with :FILE into a file. Repeat for several.",
            metavar="FORMAT[:FILE]",
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only checks with this tag.")] = None,
    changed_since: Annotated[
        str | None,
        typer.Option("--changed-since", help="Only checks that a change since this commit touches.", metavar="REF"),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write the lock files: today's outputs become the baselines.")
    ] = False,
    deployment: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="A deployment file: each model that it deploys must fit, with its longest sequence.",
            metavar="FILE",
        ),
    ] = None,
    hardware: Annotated[
        str | None, typer.Option("--hardware", help="Hardware of deployments whose files do not say it.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model of deployments whose files name none.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where a deployment file says what is not understood.")
    ] = False,
    catalog: Annotated[list[str] | None, CATALOG] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Do sizings still hold what was promised of them?

    Exit code 0: all checks hold; 1: one does not, or drifted from its lock file; 2: the input is wrong.

    Example: llmperf check sizing/ --format text --format junit:report.xml
    """
    from llmperf.checks import check as checked
    from llmperf.interfaces import ci as reports

    wanted = reports.chosen(formats or (), as_json)
    found = checked(
        paths,
        deployment=deployment or (),
        hardware=hardware,
        model=model,
        strict=strict,
        tags=tag or (),
        changed_since=changed_since,
        update=update,
        catalog=tuple(catalog or ()),
    )
    for name, file in wanted:
        if file is not None:
            reports.write(found, name, file)
    for name, file in wanted:
        if file is None and name == "text":
            from llmperf.interfaces.console.check import show

            show(found)
        elif file is None:
            sys.stdout.write(reports.FORMATS[name](found))
    for problem in found.problems[:MOST_PROBLEMS]:
        print(f"error: {problem}", file=sys.stderr)
    if len(found.problems) > MOST_PROBLEMS:
        print(f"error: and {len(found.problems) - MOST_PROBLEMS} more", file=sys.stderr)
    raise typer.Exit(found.exit_code)


MOST_PROBLEMS = 200
"""Faults that are printed; reports hold all."""


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("check")(check)
