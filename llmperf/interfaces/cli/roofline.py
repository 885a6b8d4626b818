"""``llmperf roofline``: the ceilings of a chip, and a scenario's operators below them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmperf.errors import InputError
from llmperf.interfaces.cli.compare import several
from llmperf.interfaces.cli.options import FORCE, Request, scenario_command
from llmperf.outputs import PHASES

if TYPE_CHECKING:
    from llmperf.answers.rooflines import Roofline


WITH = typer.Option(
    "--with",
    help="Lay another one over it, with these keys changed: --with hardware=a100-sxm-80gb, --with weights=fp8.",
    metavar="KEY=VALUE[,...]",
)
PHASE = typer.Option(help="Operators of one phase only.", metavar="|".join(PHASES))

HTML = typer.Option("--html", help="Write a self-contained page instead (needs the extra: report).", metavar="FILE")


@scenario_command
def roofline(
    request: Request,
    changes: Annotated[list[str] | None, WITH] = None,
    phase: Annotated[str | None, PHASE] = None,
    html: Annotated[Path | None, HTML] = None,
    force: Annotated[bool, FORCE] = False,
) -> None:
    """Where do the operators lie below the ceilings of the chip: compute, memory, links?

    Example: llmperf roofline --model llama-3.1-8b --hardware h100-sxm --batch 16

    As a page: llmperf roofline --model mixtral-8x7b --hardware h200-sxm --phase decode --html roofline.html

    A chip alone, beside another: llmperf roofline --hardware h100-sxm --with hardware=a100-sxm-80gb
    """
    from llmperf.answers.rooflines import rooflines
    from llmperf.contract.rooflines import to_dict

    if html is not None:
        from llmperf.interfaces.figures.drawing import require
        from llmperf.interfaces.report.page import taken

        require("--html")
        if problems := taken(html, force, "--html"):
            raise InputError(problems)
    variants = several(changes or ())
    phases = (phase,) if phase else None
    with request.locating(*variants):
        found = rooflines(request.scenario, *variants, catalog=request.catalog, phases=phases, **request.overrides)
    if html is not None:
        _write(found, html)
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(request.to_dict(to_dict(found)))
    elif html is not None:
        print(f"wrote {html}")
        request.show_findings()
    else:
        from llmperf.interfaces.console.roofline import show

        show(found)
        request.show_findings()


def _write(found: list[Roofline], path: Path) -> None:
    """The figure as a page of its own, with every memory and link."""
    from llmperf.interfaces.figures.roofline import rooflines as drawn
    from llmperf.interfaces.report.page import Page, Section, document, write
    from llmperf.version import __version__

    section = Section("roofline", "Roofline", [drawn(found, hierarchical=True)])
    title = f"Roofline: {', '.join(one.label for one in found)}"
    write(path, document(Page(title, f"llmperf {__version__}", [section])))


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("roofline")(roofline)
