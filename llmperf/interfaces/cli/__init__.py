"""The command line: one file a command, each a thin shell over a Python call."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from itertools import pairwise
from typing import Any

import typer

from llmperf.errors import InputError, Problem
from llmperf.interfaces.cli import streams
from llmperf.interfaces.cli.options import plainly

WRONG_INPUT = 2
"""Exit code of an input that cannot be answered."""

_USAGE_ERROR: Any = typer.BadParameter.__mro__[2]
"""The command-line parser's base of all complaints, wherever the installed version keeps it."""
COMMANDS = {
    "size": "size",
    "estimate": "estimate",
    "serve": "serve",
    "ops": "ops",
    "memory": "memory",
    "compare": "compare",
    "roofline": "roofline",
    "report": "report",
    "check": "check",
    "diff": "diff",
    "list": "list_",
    "show": "show",
    "schema": "schema",
    "bench": "bench",
    "init": "init",
    "traffic": "traffic",
    "calibrate": "calibrate",
    "validate": "validate",
}
"""Command -> module of this package."""


def app(only: str | None = None) -> typer.Typer:
    """The command-line application.

    Parameters
    ----------
    only : str, optional
        The one command that is going to run: building the others takes longer than an estimate.
    """
    application = typer.Typer(
        name="llmperf",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="How fast, how big, what limits it: closed-form performance models of large language models.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command, module in COMMANDS.items():
        if only in (None, command):
            import_module(f"{__name__}.{module}").register(application)
    for registered in application.registered_commands:
        assert registered.callback is not None
        registered.callback = plainly(registered.callback)
    application.callback()(_version)
    return application


def _print_version(wanted: bool) -> None:
    if wanted:
        from llmperf.version import __version__

        print(__version__)
        raise typer.Exit


def _version(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True, callback=_print_version),
) -> None:
    pass


def main() -> None:
    """Run the command line; wrong input is one message each, exit code 2, and never a traceback."""
    streams.prepare()
    try:
        code = _answered(_json_wanted(sys.argv))
        sys.stdout.flush()  # here, where it can still be said that the answer is not written
    except OSError as error:
        streams.drop(sys.stdout)
        try:
            _complain((Problem(f"cannot write the answer: {error.strerror or error}"),), as_json=False)
        except OSError:  # it is standard error that cannot be written
            streams.drop(sys.stderr)
        code = WRONG_INPUT
    sys.exit(code)


def _json_wanted(words: list[str]) -> bool:
    """Whether standard output is read as JSON, so that errors must be, too."""
    return bool({"--json", "--format=json"} & set(words)) or ("--format", "json") in pairwise(words)


def _answered(as_json: bool) -> int:
    """The exit code of a command that has run."""
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        code = app(named if named in COMMANDS else None)(standalone_mode=False)
    except InputError as error:
        _complain(error.problems, as_json)
        return WRONG_INPUT
    except _USAGE_ERROR as error:
        message = error.format_message().replace("\n", " ")
        if message or as_json:  # without arguments, the help has said it all
            _complain((Problem(message or "no command"),), as_json)
        return WRONG_INPUT
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else 0


def _complain(problems: tuple[Problem, ...], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"errors": [problem.to_dict() for problem in problems]}, indent=2))
        return
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)


def print_json(data: Any) -> None:
    """Print plain data as JSON; NaN cannot occur."""
    print(json.dumps(data, indent=2, allow_nan=False))
