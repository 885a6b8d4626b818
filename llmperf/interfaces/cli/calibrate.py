"""``llmperf calibrate``: a chip's constants from measured kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmperf.interfaces.cli.options import JSON


def calibrate(
    data: Annotated[
        list[Path] | None, typer.Argument(help="Kernel files (CSV); none: the data that ship.", metavar="[CSV]...")
    ] = None,
    hardware: Annotated[
        str, typer.Option("--hardware", help="The chip: a name, or your own file; several, with commas: a class.")
    ] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.", metavar="FILE")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the entry; a class needs one.")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="Class whose constants stand where nothing is fitted; by default your file's, or gpu-datacenter.",
            metavar="CLASS",
        ),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=0, max=1000, help="Bootstrap samples for intervals.")] = 20,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What does this chip reach? Fit its constants to measured kernels.

    Each file is recognized by its columns: products (device, dtype, m, n, k, time_us), attention, collectives,
    elementwise operators, experts. Every fit is tested on rows it has not seen, and says how well it did.

    Example: llmperf calibrate --hardware mi210 --output mi210.yaml
    """
    from llmperf.errors import InputError, Problem
    from llmperf.evidence import calibration
    from llmperf.interfaces.cli.writing import write_constants
    from llmperf.interfaces.console.progress import bar

    names = [part.strip() for part in hardware.split(",") if part.strip()]
    if not names:
        raise InputError(Problem("which chip is calibrated?", "--hardware", suggestion="--hardware h100-sxm"))
    with bar("fitting", quiet=as_json) as advance:
        found = calibration.run(
            data or (),
            names,
            output=output,
            name=name,
            base=base,
            samples=samples,
            force=force,
            progress=advance,
        )
    write_constants(found)
    if as_json:
        from llmperf.contract.calibration import to_dict
        from llmperf.interfaces.cli import print_json

        print_json(to_dict(found))
        return
    from llmperf.interfaces.console.calibrate import show

    show(found)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("calibrate")(calibrate)
