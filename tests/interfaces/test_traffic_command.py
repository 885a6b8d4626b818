"""Traffic on the command line: what a trace says, the entry that goes on, and the flags that stand beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

import llmperf
from llmperf.interfaces.cli import app
from llmperf.interfaces.cli.options import OPTIONS, TRAFFIC
from llmperf.scenarios import catalog
from llmperf.scenarios.flags import flag
from llmperf.scenarios.keys import flattened
from llmperf.scenarios.resolve import resolve

Run = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
TRACES = Path(__file__).parents[1] / "data" / "traces"
BASE: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
NAMES = sorted(catalog.files("traffic"))
WRITTEN = {
    "traffic": "azure-code",
    "request_rate": 4,
    "concurrency": 8,
    "users": 20,
    "think_time": "20s",
    "requests": 50,
    "burstiness": 0.5,
    "prefix_hit": "40%",
    "traffic.input.cv": 1.2,
    "traffic.output.cv": 0.8,
    "ttft": "2s",
    "tpot": "50ms",
    "itl": "60ms",
    "e2e": "1min",
    "percentile": 99,
}
"""A value of each flag of traffic."""


def test_what_is_written_goes_on_as_it_is(run: Run, tmp_path: Path) -> None:
    done = run("traffic", str(TRACES / "mooncake.jsonl"), "--out", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert written == llmperf.traffic(TRACES / "mooncake.jsonl").entry()
    shown = run("estimate", "--model", "gpt2", "--hardware", "h100-sxm", "--traffic", "mine.yaml", cwd=tmp_path)
    assert "input" in shown.stderr  # prompts of 4,224 tokens are more than GPT-2 has
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({**BASE, "traffic": "mine.yaml"}))
    assert run("estimate", "s.yaml", cwd=tmp_path).returncode == 0
    again = run("traffic", str(TRACES / "mooncake.jsonl"), "--out", "mine.yaml", cwd=tmp_path)
    assert (again.returncode, "--force" in again.stderr) == (2, True)


def test_json_has_what_the_terminal_says(answer: Answer, run: Run) -> None:
    found = answer("traffic", str(TRACES / "burstgpt.csv"), "--where", "Log Type=Conversation log")
    assert (found["requests"], found["left_out"]) == (3, {"not asked for": 2})
    assert found["traffic"]["input"]["mean"] == found["input"]["mean"]
    shown = run("traffic", str(TRACES / "burstgpt.csv")).stdout
    assert "4 requests" in shown
    assert "left out, without an answer: 1" in shown


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--where", "Model"), "'Model' is not name=value"),
        (("--where", "Modell=x"), "did you mean Model"),
        (("--column", "prompt=x"), "--column prompt: is not known of a request"),
        (("--column", "input=x"), "x: this column is missing"),
        (("--time-unit", "min"), "allowed: s, ms, us, ns"),
        (("--chars-per-token", "0"), "--chars-per-token: must lie between"),
        (("--out", "x.json"), "must end in .yaml"),
    ],
)
def test_wrong_options_are_one_message(given: tuple[str, ...], said: str, run: Run, tmp_path: Path) -> None:
    done = run("traffic", str(TRACES / "burstgpt.csv"), *given, cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_named_traffic_is_whole(name: str, answer: Answer) -> None:
    """It is valid, says where its numbers are from, and leaves how requests come to the user."""
    found = answer("show", name, "--kind", "traffic")
    jsonschema.validate(found["values"], answer("schema", "traffic"))
    assert found["sources"]["all"]
    assert not {"request_rate", "concurrency", "users", "requests"} & set(found["values"])
    read = resolve({**BASE, "traffic": name, "request_rate": 1.0, "input": 100, "output": 10}).scenario.traffic
    assert read is not None
    assert read.input.mean == found["values"]["input"]["mean"]


def test_a_name_alone_does_not_say_how_requests_come(run: Run) -> None:
    done = run("estimate", "--model", "llama-3.1-8b", "--hardware", "h100-sxm", "--traffic", "azure-code")
    assert (done.returncode, "how requests come" in done.stderr) == (2, True)


def test_another_way_takes_the_place_of_the_one_of_an_entry(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("request_rate: 3\nburstiness: 0.5\ninput: {mean: 100}\n")
    named = {**BASE, "traffic": str(tmp_path / "t.yaml")}

    def traffic(**more: Any) -> Any:
        return resolve({**named, **more}).scenario.traffic

    assert (traffic(request_rate=5).request_rate, traffic(request_rate=5).burstiness) == (5, 0.5)
    assert (traffic(concurrency=8).request_rate, traffic(concurrency=8).burstiness) == (None, 1.0)


def test_every_flag_of_traffic_reaches_its_key(run: Run) -> None:
    assert {name for name, panel, _ in OPTIONS if panel == TRAFFIC} == set(WRITTEN)
    ways = {"request_rate", "concurrency", "users", "requests", "burstiness", "think_time"}
    plain = [text for key, value in WRITTEN.items() if key not in ways for text in (flag(key), str(value))]
    for way in ("--rate 4 --burstiness 0.5", "--concurrency 8 --requests 50", "--users 20 --think-time 20s"):
        done = run("estimate", "--model", "llama-3.1-8b", "--hardware", "h100-sxm", *plain, *way.split())
        assert done.returncode == 0, done.stderr
    section = flattened({key: value for key, value in WRITTEN.items() if key != "traffic"})["traffic"]
    assert section["limits"] == {key: WRITTEN[key] for key in ("ttft", "tpot", "itl", "e2e", "percentile")}
    assert (section["input"]["cv"], section["request_rate"]) == (1.2, 4)


def test_a_command_that_has_a_flag_of_its_own_keeps_it(run: Run, tmp_path: Path) -> None:
    """`report --ttft` is the limit of its verdict, of a static batch too."""
    base = ("--model", "llama-3.1-8b", "--hardware", "h100-sxm", "--ttft", "1 s", "-o", "r.html")
    done = run("report", *base, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_no_command_has_a_flag_twice() -> None:
    """What a command declares itself goes before what every scenario has: `size --rate`, `report --ttft`."""
    commands: Any = typer.main.get_command(app())
    for name, command in commands.commands.items():
        flags = [text for one in command.params for text in one.opts if text.startswith("-")]
        assert len(flags) == len(set(flags)), name


def test_a_fault_of_a_flag_has_its_name(run: Run, tmp_path: Path) -> None:
    deployment = tmp_path / "serve.sh"
    deployment.write_text("vllm serve meta-llama/Llama-3.1-8B --tensor-parallel-size 1\n")
    done = run("estimate", str(deployment), "--hardware", "h100-sxm", "--rate", "-3", "--json")
    assert json.loads(done.stdout)["errors"][0]["path"] == "--rate"


def test_a_scenario_may_name_its_traffic_by_schema(answer: Answer) -> None:
    schema = answer("schema", "scenario")
    for written in ("azure-code", {"extends": "azure-code", "request_rate": 3}, {"concurrency": 3}):
        jsonschema.validate({**BASE, "traffic": written}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**BASE, "traffic": {"reqest_rate": 3}}, schema)
