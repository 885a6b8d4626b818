"""``llmperf compare``: a measured run beside bound and projection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmperf.interfaces.cli.options import Request, scenario_command

MEASURED = typer.Option(
    "--measured",
    help="Output of vllm bench, trtllm-bench, sglang bench_serving, aiperf, genai-perf or llama-bench.",
    metavar="FILE",
)
MAX_ERROR = typer.Option(
    "--max-error",
    help="Exit with 1 if a projection is off by more than this fraction of the measurement: 0.3.",
    metavar="FRACTION",
)


@scenario_command
def compare(
    request: Request,
    measured: Annotated[Path | None, MEASURED] = None,
    max_error: Annotated[float | None, MAX_ERROR] = None,
) -> None:
    """How far is my own run from what is possible, and from what is predicted?

    Example: llmperf compare --measured result.json --hardware h100-sxm
    """
    from llmperf.errors import InputError, Problem

    if measured is None:
        text = "is missing: compare needs the output file of a benchmark"
        raise InputError(Problem(text, "--measured", suggestion="--measured result.json --hardware h100-sxm"))
    if max_error is not None and not 0.0 <= max_error < float("inf"):
        raise InputError(Problem(f"{max_error:g} is not a fraction of 0 or more", "--max-error", suggestion="0.3"))
    from llmperf.evidence.runs import compare as compared
    from llmperf.evidence.runs import read

    found = list(compared(read(measured), request.scenario, request.overrides, *request.catalog))
    if request.as_json:
        from llmperf.interfaces.cli import print_json
        from llmperf.interfaces.compared import plain

        print_json(request.to_dict(plain(found)))
    else:
        from llmperf.interfaces.console.compare import show

        show(found)
        request.show_findings()
    errors = [abs(row.error) for item in found for row in item.rows]
    if max_error is not None and (not errors or max(errors) > max_error):
        raise typer.Exit(1)


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("compare")(compare)
