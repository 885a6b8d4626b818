"""The options that every command on a scenario has, from one table."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.records import dataclass
from llmperf.scenarios.flags import FLAGS, flag

if TYPE_CHECKING:
    from llmperf.deployments import Deployment
    from llmperf.scenarios.binding import Resolved

LAYOUT, FORMATS, WORKLOAD, TRAFFIC = "Layout", "Formats and engine", "Workload", "Traffic"
OTHER = "Output and catalog"

OPTIONS: tuple[tuple[str, str, str], ...] = (
    ("model", "Scenario", "Model: catalog name, Hugging Face id, or path of a descriptor, config.json or GGUF file."),
    (
        "hardware",
        "Scenario",
        "Chip, or system (all of it without a layout): catalog name or path, or several: h100-sxm, '2x rtx 4090'.",
    ),
    ("devices", LAYOUT, "Devices; without a layout, all are used for tensor parallelism."),
    ("tp", LAYOUT, "Tensor-parallel devices."),
    ("pp", LAYOUT, "Pipeline stages."),
    ("dp", LAYOUT, "Data-parallel ranks of the dense layers (attention data parallelism)."),
    ("ep", LAYOUT, "Expert-parallel devices; divides tp x cp x dp."),
    ("cp", LAYOUT, "Context-parallel devices."),
    ("replicas", LAYOUT, "Independent copies side by side."),
    ("weights", FORMATS, "Weight format: bf16, fp8, w4a16-g128, q4_k_m, exl2-4.65bpw, ...; by default as released."),
    ("activations", FORMATS, "Compute dtype of linear layers; by default the weight format's."),
    ("kv_cache", FORMATS, "KV-cache format: bf16, fp8, int4, ..."),
    ("engine", FORMATS, "Serving engine."),
    ("attention", FORMATS, "Attention kernel: flash-attention-3, hydragen, unfused, ...; by default the engine's."),
    ("tiers", FORMATS, "Memory tiers to fill in this order, separated by commas: hbm,dram."),
    ("rent", OTHER, "Rent of one device, USD an hour, for costs: 2.10; by default the one that its file has."),
    ("batch", WORKLOAD, "Sequences of the static batch, on the whole system."),
    ("input", WORKLOAD, "Prompt tokens of a sequence; 32k is 32,000 and 32K is 32,768."),
    ("output", WORKLOAD, "Generated tokens of a sequence."),
    ("shared_prefix", WORKLOAD, "Prompt tokens that all sequences share and that are cached."),
    ("maximize", WORKLOAD, "As large as memory allows: batch, context (the input), or throughput (the best batch)."),
    (
        "traffic",
        TRAFFIC,
        "Lengths and arrivals: a name of the catalog (azure-code, ...), or a file of llmperf traffic.",
    ),
    ("request_rate", TRAFFIC, "Requests that arrive in a second."),
    ("concurrency", TRAFFIC, "Requests in flight, each replaced when it is complete."),
    ("users", TRAFFIC, "Users, each with one request at a time."),
    ("think_time", TRAFFIC, "What a user takes before the next request: 20s."),
    ("requests", TRAFFIC, "Requests of a burst, all there at once; with --concurrency, those sent in all."),
    ("burstiness", TRAFFIC, "Of arrivals: 1 Poisson, below it bursts."),
    ("prefix_hit", TRAFFIC, "Share of prompt tokens that the prefix cache has: 40%."),
    ("traffic.input.cv", TRAFFIC, "Coefficient of variation of prompt lengths."),
    ("traffic.output.cv", TRAFFIC, "Coefficient of variation of answer lengths."),
    ("ttft", TRAFFIC, "Limit of the time to the first token: 2s."),
    ("tpot", TRAFFIC, "Limit of the time of each further token of a request: 50ms."),
    ("itl", TRAFFIC, "Limit of the time between two tokens."),
    ("e2e", TRAFFIC, "Limit of the time to the last token."),
    ("percentile", TRAFFIC, "Of requests that keep the limits: 90."),
)
"""Keyword or path, panel of the help, help text."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for: the scenario, overrides, and how to answer."""

    scenario: str | dict[str, Any] | None
    overrides: dict[str, Any]
    catalog: tuple[str, ...]
    as_json: bool
    others: tuple[str | dict[str, Any], ...] = ()
    """Further scenarios, where a command takes several."""
    deployments: tuple[Deployment, ...] = ()
    """Those that the scenarios are of, in their order."""

    def resolved(self) -> Resolved:
        """The scenario, or that of the deployment, with everything on top.

        Raises
        ------
        InputError
            With all faults; those of what a deployment file says have its lines.
        """
        from llmperf.scenarios.resolve import resolve

        with self.locating():
            return resolve(self.scenario, self.overrides, self.catalog)

    @contextmanager
    def locating(self, *changes: Mapping[str, Any]) -> Iterator[None]:
        """Give faults that are found within their places: of a flag its name, of a deployment file its lines.

        `changes` are keys of further configurations (``--with``): what is wrong with them is no fault of a file.
        """
        try:
            yield
        except InputError as error:
            if not self.deployments:
                raise
            error = self._named(error, changes)
            only = self.deployments[0] if len(self.deployments) == 1 and not self.others else None
            raise located(error, only, self.overrides, [key for keys in changes for key in keys]) from None

    def _named(self, error: InputError, changes: Sequence[Mapping[str, Any]]) -> InputError:
        """Faults with one that says why there is no model in place of those of each key that it lacks."""
        unnamed = [why for one in self.deployments if (why := one.unmodelled) is not None]
        if not unnamed or any("model" in keys for keys in (self.overrides, *changes)):
            return error
        return InputError([*unnamed, *(one for one in error.problems if not f"{one.path}.".startswith("model."))])

    def to_dict(self, data: dict[str, Any]) -> dict[str, Any]:
        """Plain data of an answer, with what became of the deployment file, or of each of several."""
        found = [one.to_dict() for one in self.deployments]
        if not found:
            return data
        return {**data, "deployment": found[0]} if len(found) == 1 else {**data, "deployments": found}

    def show_findings(self) -> None:
        """Print what became of deployment files, where there are any."""
        if self.deployments:
            from llmperf.interfaces.console.deployment import show

            for one in self.deployments:
                show(one)


def located(
    error: InputError, deployment: Deployment | None, overrides: Mapping[str, Any], changed: Sequence[str] = ()
) -> InputError:
    """The faults of a deployment's scenario, with the flags or with the lines of the file that say it."""
    from llmperf.scenarios.keys import FLAT

    flags = {FLAT.get(key, key): flag(key) for key in overrides if "." not in key or key in FLAGS}
    given = (*flags, *(key for key in overrides if "." in key), *(FLAT.get(key, key) for key in changed))
    lines = {one.path: one for one in deployment.findings if one.path} if deployment else {}

    def at(problem: Problem) -> Problem:
        if problem.file is not None:
            return problem
        if any(f"{problem.path}.".startswith(f"{path}.") for path in given):
            return replace(problem, path=flags.get(problem.path, problem.path))
        if deployment is None:
            return problem
        inside = (one for path, one in lines.items() if path not in given and path.startswith(f"{problem.path}."))
        one = lines.get(problem.path) or (next(inside, None) if problem.path else None)
        if one is None:
            return replace(problem, file=deployment.file)
        return replace(problem, file=one.file or deployment.file, line=one.line)

    return InputError([at(problem) for problem in error.problems])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than the system allows, or with a NUL in it
        return False


def _deployments(
    scenarios: Sequence[str | None], name: str | None, overrides: Mapping[str, Any]
) -> list[Deployment | None]:
    """The deployment that each scenario argument names, where it is the file of one."""
    hardware = overrides.get("hardware")
    found = [_read(one, None if hardware is None else str(hardware)) for one in scenarios]
    if name is not None and not any(found):
        raise InputError(Problem("needs a deployment file as the scenario", "--deployment"))
    several = len(scenarios) > 1
    return [_chosen(one, None if several and one and len(one) == 1 else name) for one in found]


def _read(scenario: str | None, hardware: str | None) -> list[Deployment]:
    """The deployments of a file; none of what is no deployment file."""
    path = Path(scenario) if scenario else None
    if path is None or (path.suffix == "" and "/" not in str(scenario)) or not _is_file(path):
        return []
    from llmperf.deployments import is_deployment, read

    return read(path, hardware=hardware) if is_deployment(path) else []


def _chosen(found: list[Deployment], name: str | None) -> Deployment | None:
    """The deployment of a file that has this name, or its only one."""
    if not found:
        return None
    if name is None and len(found) == 1:
        return found[0]
    file, names = found[0].file, tuple(one.name for one in found)
    for one in found:
        if one.name == name:
            return one
    if name is None:
        text = f"holds {len(found)} deployments: choose one with --deployment"
        raise InputError(Problem(text, "", file, None, names, names[0]))
    text = f"{shown(name)} is not in the file"
    raise InputError(Problem(text, "--deployment", file, None, names, nearest(name, names)))


def _scenario(written: str | None, deployment: Deployment | None, several: bool) -> Any:
    """What a command works on; among several, a deployment's scenario is called as the deployment."""
    if deployment is None:
        return written
    return {"name": deployment.to_dict()["name"], **deployment.scenario} if several else deployment.scenario


def number(text: str) -> Any:
    """A flag's text as a number where it is one; descriptors judge what may stand there."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def assignment(text: str) -> tuple[str, Any]:
    """``path=value`` of ``--set``; the value is JSON, or else a text.

    Raises
    ------
    InputError
        If there is no path or no ``=``.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise InputError(Problem(f"{text[:60]!r} is not path=value", "--set", suggestion="--set workload.batch=8"))
    try:
        return path.strip(), json.loads(value, parse_constant=lambda constant: constant)
    except (ValueError, RecursionError):
        return path.strip(), value


def keyed(name: str, text: str) -> Any:
    """The text of a flag as its keyword's value."""
    return [part for part in text.split(",") if part] if name == "tiers" else number(text)


def alone(name: str, text: str) -> str:
    """The text of a flag of one scenario.

    Raises
    ------
    InputError
        If it lists several numbers, for which one scenario has no place.
    """
    if _THOUSANDS.fullmatch(text.strip()):
        return text.replace(",", "")
    if _LIST.fullmatch(text.strip()):
        said = f"{text[:60]!r} are several numbers, and a scenario has one"
        hint = f"llmperf compare ... --with {name}={text.strip()[:60]}"
        raise InputError(Problem(said, flag(name), suggestion=hint))
    return text


_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,000)+", re.ASCII)
"""A number as people write it, and answers print it: ``1,000``."""
_LIST = re.compile(r"\d[\w.]*(?:\s*,\s*\d[\w.]*)+|\d+[kKmM]?\s*\.\.\s*\d+[kKmM]?", re.ASCII)
"""Several numbers: ``1,2,4`` or ``1..64``."""


def scenario_command(function: Callable[..., None], several: bool = False) -> Callable[..., None]:
    """Give a command the options of a scenario.

    The wrapped function takes a `Request` first, then parameters of its own, whose flags go before those of a scenario.
    With `several`, the command takes any number of scenarios.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    taken = {written for parameter in own for written in _flags(parameter)}
    options = [one for one in OPTIONS if flag(one[0]) not in taken]

    def command(**given: Any) -> None:
        overrides: dict[str, Any] = {}
        for name, _, _ in options:
            text = given.pop(name.replace(".", "_"))
            if text is not None:
                overrides[name] = keyed(name, alone(name, text))
        for text in given.pop("assign") or ():
            path, value = assignment(text)
            overrides[path] = value
        if given.pop("download") and isinstance(model := overrides.get("model"), str):
            overrides["model"] = _fetched(model)
        named = given.pop("scenario")
        scenarios = [named] if isinstance(named, str) else named or [None]
        chosen = given.pop("deployment")
        found = _deployments(scenarios, chosen, overrides)
        first, *others = (_scenario(*one, len(scenarios) > 1) for one in zip(scenarios, found, strict=True))
        catalog, as_json = tuple(given.pop("catalog") or ()), given.pop("as_json")
        deployments = tuple(one for one in found if one is not None)
        function(Request(first, overrides, catalog, as_json, tuple(others), deployments), **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    argument: Any = typer.Argument(
        help="Scenario: a file, a name of the catalog, or a deployment file (vLLM, Kubernetes, ...).",
        metavar="SCENARIO" if several else "[SCENARIO]",
    )
    parameters = [
        _parameter("scenario", Annotated[list[str] | None if several else str | None, argument]),
    ]
    for name, panel, text in options:
        parameters.append(
            _parameter(
                name.replace(".", "_"),
                Annotated[
                    str | None,
                    typer.Option(
                        flag(name), help=text, rich_help_panel=panel, metavar="TEXT" if panel != LAYOUT else "N"
                    ),
                ],
            )
        )
    parameters += [
        _parameter(
            "assign",
            Annotated[
                list[str] | None,
                typer.Option(
                    "--set",
                    help="Override any value: --set hardware.tiers.hbm.bandwidth='4 TB/s'.",
                    metavar="PATH=VALUE",
                    rich_help_panel=OTHER,
                ),
            ],
        ),
        _parameter("deployment", Annotated[str | None, DEPLOYMENT]),
        _parameter("download", Annotated[bool, DOWNLOAD], default=False),
        _parameter("catalog", Annotated[list[str] | None, CATALOG]),
        _parameter("as_json", Annotated[bool, JSON], default=False),
    ]
    parameters += [parameter.replace(kind=keyword) for parameter in own]
    return _like(command, function, parameters)


def _flags(parameter: inspect.Parameter) -> tuple[str, ...]:
    """The flags that a parameter of a command declares: within an annotation, the first stands for a default."""
    options = getattr(parameter.annotation, "__metadata__", ())
    return tuple(text for one in options for text in (one.default, *(one.param_decls or ())) if isinstance(text, str))


def plainly(function: Callable[..., None]) -> Callable[..., None]:
    """Give any command the option ``--plain``."""

    def command(*, plain: bool, **given: Any) -> None:
        if plain:
            from llmperf.interfaces.console.style import be_plain

            be_plain()
        function(**given)

    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in _signature(function).parameters.values()]
    parameters = [*own, _parameter("plain", Annotated[bool, PLAIN], default=False)]
    return _like(command, function, parameters)


def _signature(function: Callable[..., None]) -> inspect.Signature:
    known = getattr(function, "__signature__", None)
    return known if known is not None else inspect.signature(function, eval_str=True)


def _like(command: Any, function: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """`command`, to be read as if it were `function` with these parameters."""
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    return cast(Callable[..., None], command)


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _fetched(model: str) -> str:
    """The configuration of a model id, from the local cache or else from the hub."""
    from llmperf.importers.hub import download_config, local_config

    return str(local_config(model) or download_config(model))


DEPLOYMENT = typer.Option(
    "--deployment",
    help="Which of the deployments of a file with several.",
    metavar="NAME",
    rich_help_panel=OTHER,
)
DOWNLOAD = typer.Option(
    "--download",
    help="Fetch the configuration of a Hugging Face --model id that is not in the local cache (needs the extra: hub).",
    rich_help_panel=OTHER,
)
JSON = typer.Option("--json", help="Print JSON: SI units, null where there is no value.", rich_help_panel=OTHER)
PLAIN = typer.Option("--plain", help="Print ASCII alone, without colours.", rich_help_panel=OTHER)
FORCE = typer.Option("--force", help="Replace files that exist.", rich_help_panel=OTHER)
CATALOG = typer.Option(
    "--catalog", help="Directory of descriptors that go before the packaged ones.", rich_help_panel=OTHER, metavar="DIR"
)
