"""What leaves as JSON: keys, one table of outputs, the same from Python as from the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import llmperf
from llmperf.outputs import CAPACITY, MEMORY_CLASSES, TIMES
from llmperf.resources import RESOURCES

Answer = Callable[..., dict[str, Any]]
DEMO = shlex.split(
    "--model llama-3.1-70b --weights fp8 --hardware h100-sxm --tp 8 --batch 32 --input 2048 --output 256"
)

SUFFIXES = ("_s", "_j", "_w", "_usd", "_hours")


def test_the_estimate_as_json_keeps_its_contract(answer: Answer) -> None:
    data = answer("estimate", *DEMO)
    assert data["schema_version"] == 1
    for definition in ("bound", "roofline", "projection"):
        assert list(data[definition]) == [output.name for output in TIMES]
    assert set(data["memory_bytes_per_device"]) == {o.name for o in (*MEMORY_CLASSES, *CAPACITY)}
    assert set(data["bottleneck"]) == {"prefill", "decode"}
    assert set(data["bottleneck"].values()) <= set(RESOURCES)
    assert {"error_band", "warnings", "scenario", "extrapolated"} <= set(data)
    assert data["scenario"]["parallelism"]["tp"] == 8
    assert data["bound"]["tpot_s"] < data["projection"]["tpot_s"]


def test_python_and_command_line_give_the_same_answer(answer: Answer) -> None:
    shown = answer("estimate", *DEMO)
    same = llmperf.estimate(
        model="llama-3.1-70b", weights="fp8", hardware="h100-sxm", tp=8, batch=32, input=2048, output=256
    )
    assert shown == json.loads(json.dumps(same.to_dict()))


def test_ops_as_json_lists_each_operator_with_its_work(answer: Answer) -> None:
    data = answer("ops", "--model", "mixtral-8x7b", "--hardware", "h100-sxm", "--tp", "2", "--batch", "16")
    assert [step["step"] for step in data["steps"]] == ["prefill", "decode"]
    for step in data["steps"]:
        for row in step["operators"]:
            assert row["limited_by"] in RESOURCES
            assert 0 <= row["roofline_s"] <= row["time_s"] * (1 + 1e-9)
    (mixed,) = answer("ops", "--model", "mixtral-8x7b", "--hardware", "h100-sxm", "--phase", "mixed")["steps"]
    assert {"moe_gate_up", "moe_down", "router"} <= {row["name"] for row in mixed["operators"]}


def test_memory_as_json_names_stages_tiers_and_remedies(answer: Answer) -> None:
    data = answer("memory", "--model", "llama-3.1-405b", "--hardware", "h100-sxm", "--tp", "8")
    assert data["memory_bytes_per_device"]["fits"] is False
    assert any("--weights" in remedy for remedy in data["would_fit"])
    piped = answer("memory", "--model", "llama-3.1-405b", "--hardware", "h100-sxm", "--tp", "8", "--pp", "3")
    assert [stage["stage"] for stage in piped["stages"]] == ["first", "middle", "last"]
    spilled = answer("memory", "--model", "opt-30b", "--hardware", "t4-gcp", "--batch", "144")
    (tier,) = spilled["tiers"]
    assert tier["tier"] == "dram"
    assert 0 < tier["weights_share"] < 1


def test_outputs_are_one_table(answer: Answer) -> None:
    table = answer("schema", "outputs")
    assert [row["name"] for row in table["by_definition"]["outputs"]] == [output.name for output in TIMES]
    for row in table["by_definition"]["outputs"]:
        assert row["description"]
        assert row["better"] in ("lower", "higher")
        assert row["name"].endswith(SUFFIXES), "the unit is in the name"
