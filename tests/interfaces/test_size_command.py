"""``llmperf size``, through the real entry point."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import llmperf
from llmperf.deployments import read
from llmperf.interfaces.cli.options import OPTIONS
from llmperf.words.commands import ORDER

Run = Callable[..., CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
ASKED = shlex.split(
    "size --model llama-3.1-70b --users 200 --speed 30tok/s --ttft 2s --input 2k --output 500 --engine vllm"
)
CHIPS = ["--hardware", "h100-sxm,h200-sxm,mi300x"]
RENTS = ["--rent", "h100-sxm=3.2,h200-sxm=3.99,mi300x=1.99"]


def test_the_table_fits_and_names_what_was_asked(run: Run) -> None:
    done = run(*ASKED, *CHIPS, "--weights", "bf16,fp8", *RENTS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in done.stdout
    assert lines[0] == "llama-3.1-70b: 200 users, 2,000 in, 500 out, p90 of TTFT 2 s, TPOT 33.3 ms"
    for words in ("copies x", "N+1", "USD/", "limited", "h200-sxm", "mi300x", "fp8", "bf16", "llmperf serve --model"):
        assert words in done.stdout
    assert run(*ASKED, *CHIPS, "--plain").stdout.isascii()


def test_json_is_what_python_says(answer: Answer) -> None:
    said = answer(*ASKED, *CHIPS, *RENTS)
    found = llmperf.size(
        model="llama-3.1-70b",
        users=200,
        speed="30tok/s",
        ttft="2s",
        input="2k",
        output=500,
        engine="vllm",
        hardware=["h100-sxm", "h200-sxm", "mi300x"],
        rent={"h100-sxm": 3.2, "h200-sxm": 3.99, "mi300x": 1.99},
    )
    assert said == json.loads(json.dumps(found.to_dict()))
    assert said["ranked_by"] == "usd_per_month"
    months = [one["cost_per_month_usd"] for one in said["candidates"]]
    assert months == sorted(months)
    for one in said["candidates"]:
        assert one["devices"] == one["copies"] * one["devices_per_copy"]
        assert one["devices_with_spare"] == one["devices"] + one["devices_per_copy"]
        assert one["ttft_p90_s"] <= 2.0
        assert one["tpot_p90_s"] <= 1 / 30


def test_the_command_of_a_candidate_says_the_same(answer: Answer, tmp_path: Path) -> None:
    """What it prints is run as a user would, from flags and from a file with a name of its own."""
    file = tmp_path / "service.yaml"
    traffic = "traffic: {users: 300, think_time: 12 s, limits: {ttft: 1 s}}"
    file.write_text(f"model: llama-3.1-70b\nengine: vllm\n{traffic}\n")
    for asked in ([*ASKED, *CHIPS, *RENTS], ["size", str(file), *CHIPS, "--weights", "fp8", "--kv-cache", "fp8"]):
        for one in answer(*asked)["candidates"]:
            program, *words = shlex.split(one["command"])
            said = answer(*words)
            assert program == "llmperf"
            assert said["question"] == "serve"
            for name in ("ttft_p90_s", "tpot_p90_s"):
                assert said["projection"][name] == pytest.approx(one[name], rel=1e-5)
            rate = said["projection"]["requests_per_s"] * one["copies"]
            assert rate == pytest.approx(one["requests_per_s"], rel=1e-5)
            assert said["scenario"]["hardware"]["name"] == one["hardware"]


def test_the_same_from_a_file_and_by_flags(answer: Answer, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(
        "model: llama-3.1-70b\nhardware: h200-sxm\nengine: vllm\nworkload: {input: 2k, output: 500}\n"
        f"traffic: {{users: 200, limits: {{ttft: 2 s, tpot: {1 / 30!r}}}}}\n"
    )
    flags = answer(*ASKED, "--hardware", "h200-sxm")
    written = answer("size", str(file))
    for one in (flags, written):
        for each in one["candidates"]:
            del each["command"]
    assert written == flags


@pytest.mark.parametrize("form", ["vllm", "kubernetes"])
def test_what_is_emitted_is_the_best(form: str, run: Run, answer: Answer, tmp_path: Path) -> None:
    asked = [*ASKED, "--hardware", "h100-sxm", "--weights", "fp8"]
    best = answer(*asked)["candidates"][0]
    path = tmp_path / ("all.yaml" if form == "kubernetes" else "one.sh")
    path.write_text(run(*asked, "--emit", form).stdout)
    (found,) = read(path, hardware="h100-sxm")
    layout = {way: size for way, size in best["layout"].items() if size > 1}
    copies = {"replicas": best["copies"]} if form == "kubernetes" and best["copies"] > 1 else {}
    assert found.scenario["parallelism"] == {**layout, **copies}
    assert found.scenario["weights"] == "fp8"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--hardware", "h100-sxm,h100-sxn"], "h100-sxn"),
        (["--hardware", "h100-sxm", "--speed", "30 furlongs"], "speed"),
        (["--hardware", "h100-sxm", "--ttft", "2 parsecs"], "traffic.limits.ttft"),
        (["--hardware", "h100-sxm", "--headroom", "1.5"], "headroom"),
        (["--hardware", "h100-sxm", "--devices-max", "0"], "devices_max"),
        (["--hardware", "h100-sxm", "--layouts", "0"], "layouts"),
        (["--hardware", "h100-sxm", "--confidence", "hopeful"], "confidence"),
        (["--hardware", "h100-sxm", "--emit", "docker"], "--emit"),
        (["--hardware", "h100-sxm", "--rent", "h100-sxm="], "--rent"),
        (["--hardware", "h100-sxm", "--rent", "h200-sxm=2"], "h200-sxm"),
        (["--hardware", "h100-sxm", "--concurrency", "5"], "stands beside"),
        (["--hardware", "h100-sxm", "--devices", "8"], "--devices-max"),
    ],
)
def test_what_is_wrong_is_one_clear_error(flags: list[str], said: str, run: Run) -> None:
    done = run(*ASKED, *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) <= 3
    as_json = run(*ASKED, *flags, "--json")
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout)["errors"]


def test_all_that_is_wrong_is_said_at_once(run: Run) -> None:
    flags = ["--hardware", "h100-sxm,h100-sxn", "--weights", "fp7", "--devices", "8", "--itl", "1 parsec"]
    done = run(*ASKED, *flags)
    assert done.returncode == 2
    for said in ("h100-sxn", "fp7", "--devices-max", "traffic.limits.itl"):
        assert said in done.stderr
    assert len(done.stderr.splitlines()) == 4


def test_where_nothing_serves_the_table_says_why(run: Run) -> None:
    done = run(*ASKED, "--hardware", "h100-sxm,l4", "--tpot", "30ms")
    assert done.returncode == 2  # a speed says that already
    done = run("size", *ASKED[1:5], "--hardware", "h100-sxm,l4", "--speed", "2000tok/s")
    assert done.returncode == 0
    assert done.stdout.count("one request alone has a TPOT of") == 2
    emitted = run("size", *ASKED[1:5], "--hardware", "l4", "--speed", "2000tok/s", "--emit", "vllm")
    assert emitted.returncode == 2
    assert "nothing to emit" in emitted.stderr


def test_commands_are_written_with_flags_that_there_are() -> None:
    assert set(ORDER) <= {name for name, _, _ in OPTIONS}
