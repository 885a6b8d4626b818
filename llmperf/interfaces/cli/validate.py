"""``llmperf validate``: predicted beside measured and published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmperf.interfaces.cli.options import CATALOG, JSON


def validate(
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Measured rows: a CSV file or a directory.", metavar="PATH")
    ] = None,
    claims: Annotated[
        list[Path] | None,
        typer.Option("--claims", help="Published results: a YAML file, a directory or a system.", metavar="PATH|NAME"),
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Only claims of systems of this category (kv-cache).")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Format of the data; else recognized by its columns.")
    ] = None,
    shipped: Annotated[
        str | None, typer.Option("--shipped", help="Only what ships: data or claims.", metavar="data|claims")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Also list this many of the worst rows.")] = 0,
    max_error: Annotated[
        float | None, typer.Option("--max-error", min=0, help="Exit 1 if a group's median error is above this (0.2).")
    ] = None,
    no_bound_violations: Annotated[
        bool, typer.Option("--no-bound-violations", help="Exit 1 if a row beats the bound without an explanation.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a self-contained page (needs the extra: report).")
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Also write the page as Markdown.")] = None,
    bands: Annotated[Path | None, typer.Option("--bands", help="Also write the table of error bands.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    catalog: Annotated[list[str] | None, CATALOG] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """How right is it? Predict measured rows and published results, and show the errors.

    Without files, everything that ships with the package is recomputed. Systems are named by `llmperf list published`.

    Example: llmperf validate --claims kivi --claims qserve
    """
    from llmperf.errors import InputError, Problem, nearest
    from llmperf.evidence import validation
    from llmperf.evidence.claims.files import CATEGORIES
    from llmperf.interfaces.cli.writing import write
    from llmperf.interfaces.console.progress import bar

    if shipped not in (None, "data", "claims"):
        raise InputError(Problem(f"unknown part {shipped!r}", "--shipped", allowed=("data", "claims")))
    if shipped is not None and (data or claims):
        raise InputError(Problem("goes without --data and --claims", "--shipped"))
    for given in category or ():
        if given not in CATEGORIES:
            text, allowed = f"unknown category {given!r}", tuple(CATEGORIES)
            raise InputError(Problem(text, "--category", allowed=allowed, suggestion=nearest(given, allowed)))
    if category and (data or shipped == "data"):
        raise InputError(Problem("is about claims, not about data", "--category"))
    only_claims = shipped == "claims" or bool(category)
    outputs = {"--html": html, "--markdown": markdown, "--bands": bands}
    taken = [(option, path) for option, path in outputs.items() if path is not None and path.exists() and not force]
    if taken:
        raise InputError([Problem("exists already", o, str(p), suggestion="--force replaces it") for o, p in taken])
    with bar("recomputing", quiet=as_json) as advance:
        found = validation.run(
            data or ([] if shipped == "data" else None),
            claims or ([] if only_claims else None),
            dataset=dataset,
            categories=category,
            catalog=tuple(catalog or ()),
            max_error=max_error,
            no_bound_violations=no_bound_violations,
            progress=advance,
        )
    write(found, html, markdown, bands)
    if as_json:
        from llmperf.contract.validation import to_dict
        from llmperf.interfaces.cli import print_json

        print_json(to_dict(found))
    else:
        from llmperf.interfaces.console.validation import show

        show(found, rows)
    if found.failures:
        raise typer.Exit(1)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("validate")(validate)
