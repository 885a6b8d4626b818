"""``llmperf roofline``: the ceilings of a chip, and a scenario's operators below them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from llmperf.interfaces.cli.compare import assignments
from llmperf.interfaces.cli.options import Request, scenario_command


class PhaseKind(str, Enum):
    """Phases whose operators can be shown alone."""

    prefill = "prefill"
    decode = "decode"


WITH = typer.Option(
    "--with",
    help="Lay another one over it, with these keys changed: --with hardware=a100-sxm-80gb, --with weights=fp8.",
    metavar="KEY=VALUE[,...]",
)
PHASE = typer.Option(help="Operators of one phase only.")


@scenario_command
def roofline(
    request: Request,
    changes: Annotated[list[str] | None, WITH] = None,
    phase: Annotated[PhaseKind | None, PHASE] = None,
) -> None:
    """Where do the operators lie below the ceilings of the chip: compute, memory, links?

    Example: llmperf roofline --model llama-3.1-8b --hardware h100-sxm --batch 16

    One phase: llmperf roofline --model mixtral-8x7b --hardware h200-sxm --phase decode

    A chip alone, beside another: llmperf roofline --hardware h100-sxm --with hardware=a100-sxm-80gb
    """
    from llmperf.interfaces.rooflines import rooflines, to_dict

    variants = [dict(assignments(text)) for text in changes or ()]
    phases = (phase.value,) if phase else ("prefill", "decode")
    found = rooflines(request.scenario, *variants, catalog=request.catalog, phases=phases, **request.overrides)
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        print_json(to_dict(found))
    else:
        from llmperf.interfaces.console.roofline import show

        show(found)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("roofline")(roofline)
