"""``llmperf bench``: measures this machine."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from llmperf.interfaces.cli.options import JSON


class DeviceKind(str, Enum):
    """Devices that can be measured."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


def bench(
    output: Annotated[
        Path | None, typer.Option(help="Directory to write; by default the name.", metavar="DIR", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the hardware; by default the host's.", show_default=False)
    ] = None,
    device: Annotated[
        DeviceKind, typer.Option(help="The processor, or the GPU that PyTorch sees; auto: the GPU if there is one.")
    ] = DeviceKind.auto,
    seconds: Annotated[float, typer.Option(help="Time for all of it.", metavar="S")] = 120.0,
    memory: Annotated[float, typer.Option(help="Share of the free memory that may be used.", metavar="SHARE")] = 0.25,
    only: Annotated[
        str | None,
        typer.Option(
            help="Parts to measure, separated by commas: stream, gemm, elementwise, attention, copies, launches, "
            "collectives.",
            metavar="PARTS",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--list", help="Show what would be measured, and measure nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the directory of an earlier measurement.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What does this machine reach: its products, its memory, its links?

    Writes a hardware file and the measured kernels, for `llmperf calibrate` and `llmperf estimate --hardware`.

    Example: llmperf bench --output mybox --seconds 5
    """
    from llmperf.evidence.bench import bench as measured
    from llmperf.evidence.bench import plan
    from llmperf.interfaces.cli import print_json
    from llmperf.interfaces.console import bench as console

    parts = tuple(part.strip() for part in only.split(",") if part.strip()) if only else ()
    if dry_run:
        planned = plan(device.value, seconds, memory, parts)
        if as_json:
            print_json(planned.to_dict())
        else:
            console.show_plan(planned)
        return
    with console.progress(seconds) as told:
        found = measured(
            output,
            name,
            device=device.value,
            seconds=seconds,
            memory=memory,
            only=parts,
            force=force,
            progress=told,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        console.show(found)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("bench")(bench)
