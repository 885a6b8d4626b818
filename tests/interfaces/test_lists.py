"""Lists of values: one configuration each where configurations are compared, and a hint where there is but one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from llmperf.errors import InputError
from llmperf.interfaces.cli.compare import several

Run = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
BASE = ("--model", "llama-3.2-1b", "--hardware", "h100-sxm")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("batch=1,2,4", [{"batch": 1}, {"batch": 2}, {"batch": 4}]),
        ("batch=1..8", [{"batch": 1}, {"batch": 2}, {"batch": 4}, {"batch": 8}]),
        ("batch=3..10", [{"batch": 3}, {"batch": 6}, {"batch": 10}]),
        ("input=1k..4k", [{"input": 1000}, {"input": 2000}, {"input": 4000}]),
        ("weights=fp8,bf16", [{"weights": "fp8"}, {"weights": "bf16"}]),
        ("weights=fp8,kv_cache=fp8", [{"weights": "fp8", "kv_cache": "fp8"}]),
        ("tp=1,2,batch=4", [{"tp": 1, "batch": 4}, {"tp": 2, "batch": 4}]),
        ("tiers=hbm,dram", [{"tiers": ["hbm", "dram"]}]),
    ],
)
def test_each_value_of_a_list_is_a_configuration(written: str, expected: list[dict[str, Any]]) -> None:
    assert several([written]) == expected


def test_more_configurations_than_one_can_read_are_refused() -> None:
    with pytest.raises(InputError, match="more than 64 configurations"):
        several(["batch=1..128,input=1..128,output=2,3"])


def test_they_are_compared_with_the_first(answer: Answer) -> None:
    found = answer("compare", *BASE, "--with", "batch=2,4")
    assert [one["scenario"]["workload"]["batch"] for one in found["configurations"]] == [1, 2, 4]


@pytest.mark.parametrize(("flag", "written"), [("--batch", "1,2,4"), ("--input", "1k..4k"), ("--tp", "1, 2")])
def test_a_command_of_one_scenario_says_where_lists_make_sense(run: Run, flag: str, written: str) -> None:
    found = run("memory", *BASE, flag, written)
    assert found.returncode == 2
    assert f"{flag}: '{written}' are several numbers" in found.stderr
    assert "llmperf compare ... --with" in found.stderr
