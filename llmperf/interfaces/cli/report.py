"""``llmperf report``: everything about a scenario, or several, as one HTML file."""

from __future__ import annotations

import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli.compare import WITH, assignments
from llmperf.interfaces.cli.options import FORCE, Request, scenario_command

OUTPUT = typer.Option("-o", "--output-file", help="The file to write.", metavar="FILE")
SPLIT = typer.Option("--split", help="Write into this folder, with plotly's script beside the page.", metavar="DIR")
SWEEP = typer.Option(
    "--sweep",
    help="Also vary a number: batch=1,2,4, batch=1:256:x2 (each twice the one before) or input=512:8192:512 (steps).",
    metavar="KEY=VALUES",
)
VALIDATE = typer.Option(
    "--validate", help="Also recompute measured data: a file, or a data set that ships.", metavar="DATASET"
)
ERROR = typer.Option("--error", help="Also draw the measured results of each result's class (takes some seconds).")
DATE = typer.Option("--date", help="Date of the report; today by default.", metavar="YYYY-MM-DD")
TTFT = typer.Option("--ttft", help="Limit of TTFT, of a service at its percentile: '500 ms'.", metavar="TIME")
TPOT = typer.Option("--tpot", help="Limit of TPOT, of a service at its percentile: '20 ms'.", metavar="TIME")
PNG, SVG, PDF = (
    typer.Option(f"--{form}", help=f"Also write every figure as {form.upper()} into this folder.", metavar="DIR")
    for form in ("png", "svg", "pdf")
)


@partial(scenario_command, several=True)
def report(
    request: Request,
    changes: Annotated[list[str] | None, WITH] = None,
    sweeps: Annotated[list[str] | None, SWEEP] = None,
    data: Annotated[list[str] | None, VALIDATE] = None,
    error: Annotated[bool, ERROR] = False,
    ttft: Annotated[str | None, TTFT] = None,
    tpot: Annotated[str | None, TPOT] = None,
    path: Annotated[Path, OUTPUT] = Path("report.html"),
    split: Annotated[Path | None, SPLIT] = None,
    date: Annotated[str | None, DATE] = None,
    png: Annotated[Path | None, PNG] = None,
    svg: Annotated[Path | None, SVG] = None,
    pdf: Annotated[Path | None, PDF] = None,
    force: Annotated[bool, FORCE] = False,
) -> None:
    """Everything about a scenario, or several, as one HTML file to look at, to print and to send.

    Example: llmperf report --model llama-3.1-70b --hardware h100-sxm --tp 8 --weights fp8 --batch 32

    Compared: llmperf report mine.yaml --with kv_cache=fp8 --with hardware=h200-sxm --tpot '20 ms'

    Swept: llmperf report mine.yaml --sweep batch=1:256:x2 -o batches.html

    A service: llmperf report --model llama-3.1-8b --hardware h100-sxm --engine vllm --rate 10 --ttft '500 ms'
    """
    from llmperf.interfaces.cli.ranges import knobs
    from llmperf.interfaces.figures.drawing import require
    from llmperf.interfaces.report import pictures
    from llmperf.interfaces.report.page import taken

    require("report")
    folders = {form: folder for form, folder in (("png", png), ("svg", svg), ("pdf", pdf)) if folder is not None}
    for form in folders:
        pictures.require(f"--{form}")
    if problems := taken(path if split is None else split / path.name, force, "-o"):
        raise InputError(problems)
    limits = {
        key: _time(flag, text) for key, flag, text in (("ttft_s", "--ttft", ttft), ("tpot_s", "--tpot", tpot)) if text
    }
    day = _date(date)
    variants = [dict(assignments(text)) for text in changes or ()]
    swept = knobs(sweeps or ())
    from llmperf.interfaces.report.inputs import gather
    from llmperf.interfaces.report.page import named_drawings
    from llmperf.interfaces.report.report import page, save

    asked = bool(request.scenario or request.overrides or not data)
    with request.locating(*variants, swept):
        inputs = gather(
            [request.scenario, *request.others] if asked else [],
            request.overrides,
            variants=variants,
            sweeps=swept,
            limits=limits,
            data=data or (),
            evidence=error,
            date=day,
            folders=request.catalog,
            deployments=request.deployments,
        )
    made = page(inputs)
    drawings = named_drawings(made.sections)
    drawn = pictures.save(drawings, folders, force) if folders else []
    written = save(made, path, split)
    _say(request, written, [section.name for section in made.sections], [n for n, _ in drawings], drawn)


def _say(request: Request, path: Path, sections: list[str], figures: list[str], pictures: list[Path]) -> None:
    size = path.stat().st_size
    if request.as_json:
        from llmperf.interfaces.cli import print_json

        drawn = [str(one) for one in pictures]
        said = {"file": str(path), "bytes": size, "sections": sections, "figures": figures, "pictures": drawn}
        print_json(request.to_dict(said))
        return
    also = f", {len(pictures)} pictures" if pictures else ""
    print(f"{path}: {len(sections)} sections, {len(figures)} figures{also}, {size / 1e6:.1f} MB")
    request.show_findings()


def _time(flag: str, text: str) -> float:
    from llmperf import units

    try:
        value = units.parse(text, "time")
    except units.UnitError as error:
        raise InputError(Problem(str(error), flag, allowed=error.allowed, suggestion="500 ms")) from None
    if value <= 0.0:
        raise InputError(Problem(f"{text} is not a time of more than nothing", flag, suggestion="500 ms"))
    return value


def _date(text: str | None) -> str:
    if text is None:
        return datetime.date.today().isoformat()
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(Problem(f"{text[:60]!r} is not a date", "--date", suggestion="2026-01-31")) from None


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("report")(report)
