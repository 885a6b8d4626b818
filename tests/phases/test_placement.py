"""A placement moves work and data to where it says, and no more: bytes, bounds and times follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.costs.machine import machine_of
from llmperf.costs.step import price
from llmperf.descriptors.placement import Placement
from llmperf.operators.table import Row, table
from llmperf.operators.tensors import KEPT, READ_ONLY
from llmperf.phases.placement import transfers
from llmperf.scenarios.components import built, frozen

PEAKS = {"bf16": "989.4 TFLOP/s", "fp8": "1979 TFLOP/s"}
TWINS = {
    "extends": "h100-sxm",
    "engines": {
        "twin": {"kind": "matrix", "peaks": PEAKS},
        "host": {"kind": "matrix", "peaks": {"bf16": "9 TFLOP/s", "fp8": "18 TFLOP/s"}, "reads": "dram"},
    },
    "tiers": {
        "dram": {"kind": "host", "capacity": "512 GB", "bandwidth": "300 GB/s"},
        "flash": {"kind": "storage", "capacity": "8 TB", "bandwidth": "12 GB/s", "via": "pcie"},
    },
    "links": {"pcie": {"kind": "host", "bandwidth": "64 GB/s"}},
}
WORK = {"batch": 8, "input": 512, "output": 64}
MIXTRAL = {"model": "mixtral-8x7b", "weights": "fp8", "hardware": TWINS, **WORK}
LLAMA = {"model": "llama-3.1-8b", "hardware": TWINS, **WORK}


def one(**scenario: Any) -> Any:
    """The only block of an estimate."""
    return llmperf.estimate(**scenario).evaluated[0]


@pytest.mark.parametrize("model", ["llama-3.1-8b", "mixtral-8x7b", "jamba-v0.1", "deepseek-v2-lite", "mamba2-2.7b"])
def test_bytes_by_class_add_up_to_those_of_the_operators(model: str) -> None:
    part = one(model=model, hardware="h200-sxm", **WORK)
    for phase in part.phases.values():
        rows = [priced.block for priced in phase.costs.priced]
        weights = sum(float((block.repeat * block.weights_read).sum()) for block in rows)
        kept = sum(float((block.repeat * (block.kept_read + block.kept_written)).sum()) for block in rows)
        assert phase.costs.bytes(READ_ONLY).total == pytest.approx(weights)
        others = phase.costs.bytes(tuple(tensor for tensor in KEPT if tensor not in READ_ONLY))
        assert others.total == pytest.approx(kept)


def test_experts_in_a_tier_are_streamed_and_nothing_else() -> None:
    part = one(**MIXTRAL, placement={"tensors": {"experts": "flash"}})
    (share,) = part.placed.shares
    assert share.name == "flash"
    for phase in part.phases.values():
        moved = transfers(part.setup.scenario, part.placed, phase.costs)
        experts = phase.costs.bytes(("experts",)).total
        assert moved.shared["link.host"].total * 64e9 == pytest.approx(experts)
        assert all(float(np.max(way.total)) == 0.0 for way in moved.own.values())
    held = float(np.max(share.sizes["experts"]))
    assert held == pytest.approx(32 * 8 * 3 * 4096 * 14336, rel=0.01)
    assert float(np.max(share.weights_bytes)) == held


def test_what_is_read_directly_leaves_the_main_memory() -> None:
    far = one(**LLAMA, placement={"tensors": {"weights": {"dram": 0.25}}})
    assert far.placed.residence.here("weights") == pytest.approx(0.75)
    assert far.placed.residence.here("kv_cache") == 1.0


def test_an_engine_may_get_all_of_a_kind_as_the_hardwares_file_would_say() -> None:
    here = llmperf.estimate(**LLAMA, placement={"operators": {"gemm": "host"}})
    there = llmperf.estimate(**{**LLAMA, "hardware": {**TWINS, "placement": {"gemm": "host"}}})
    assert here.tpot_s == there.tpot_s
    assert here.bound.ttft_s == there.bound.ttft_s
    assert here.tpot_s > llmperf.estimate(**LLAMA).tpot_s


def test_two_equal_engines_halve_a_product() -> None:
    machine = machine_of(built("hardware", frozen(TWINS, "hardware"), ())[0])
    size = 32_768.0
    row = Row("x", 1.0, (1.0,), flops=2.0 * size**3, activation_bytes=1e6, m=size, n=size, k=size)
    usual = machine.runs("gemm").engine
    alone = price(table({"gemm": [row]}), machine)
    both = price(table({"gemm": [row]}), machine, shared={"gemm": {usual: 0.5, "twin": 0.5}})
    ratio = float(both.priced[0].time[0, 0] / alone.priced[0].time[0, 0])
    assert ratio == pytest.approx(0.5, rel=0.02)
    assert both.priced[0].roofline[0, 0] == pytest.approx(0.5 * alone.priced[0].roofline[0, 0])
    assert sum(part.total for part in both.demands.values()) == pytest.approx(
        alone.demands[f"compute.matrix:{usual}"].total
    )


def test_engines_that_read_one_memory_are_no_faster_than_that_memory() -> None:
    machine = machine_of(built("hardware", frozen(TWINS, "hardware"), ())[0])
    row = Row("x", 1.0, (1.0,), flops=1e6, weight_bytes=1e10, m=1.0, n=65_536.0, k=65_536.0)
    usual = machine.runs("gemm").engine
    alone = price(table({"gemm": [row]}), machine).priced[0]
    both = price(table({"gemm": [row]}), machine, shared={"gemm": {usual: 0.5, "twin": 0.5}}).priced[0]
    assert both.roofline[0, 0] == pytest.approx(alone.roofline[0, 0])
    assert both.time[0, 0] == pytest.approx(alone.time[0, 0], rel=0.02)
    apart = price(table({"gemm": [row]}), machine, shared={"gemm": {usual: 0.95, "host": 0.05}})
    assert apart.priced[0].time[0, 0] < alone.time[0, 0]
    assert apart.moved["memory.host", "weights", "read"].total == pytest.approx(0.5e9)
    assert apart.moved["memory.main", "weights", "read"].total == pytest.approx(9.5e9)


def test_shares_may_be_arrays_and_a_share_of_nothing_changes_nothing() -> None:
    share = np.array([0.0, 0.05, 0.1])
    many = llmperf.estimate(**LLAMA, placement={"operators": {"gemm": {"host": share}}})
    for index, value in enumerate(share):
        alone = llmperf.estimate(**LLAMA, placement={"operators": {"gemm": {"host": float(value)}}})
        assert many.tpot_s[index] == pytest.approx(alone.tpot_s, rel=1e-9)
    assert many.tpot_s[0] == pytest.approx(llmperf.estimate(**LLAMA).tpot_s, rel=1e-9)


def test_no_placement_is_the_default_and_changes_nothing() -> None:
    plain = llmperf.estimate(**MIXTRAL)
    empty = llmperf.estimate(**MIXTRAL, placement={"operators": {}, "tensors": {}})
    assert plain.to_dict()["projection"] == empty.to_dict()["projection"]
    assert empty.scenario.placement == Placement()


@pytest.mark.parametrize(
    ("placement", "path", "allowed", "meant"),
    [
        ({"tensors": {"experts": "falsh"}}, "placement.tensors.experts", "flash", "flash"),
        ({"tensors": {"expert": "flash"}}, "placement.tensors.expert", "experts", "experts"),
        ({"tensors": {"gradients": "flash"}}, "placement.tensors.gradients", "weights", None),
        ({"operators": {"gemm": "twins"}}, "placement.operators.gemm", "twin", "twin"),
        ({"operators": {"gem": "twin"}}, "placement.operators.gem", "gemm", "gemm"),
        ({"operators": {"collective": "twin"}}, "placement.operators.collective", "gemm", None),
    ],
)
def test_an_unknown_name_is_one_error_with_what_is_allowed(
    placement: dict[str, Any], path: str, allowed: str, meant: str | None
) -> None:
    with pytest.raises(llmperf.InputError) as found:
        llmperf.estimate(**MIXTRAL, placement=placement)
    (problem,) = found.value.problems
    assert problem.path == path
    assert allowed in problem.allowed
    assert meant is None or problem.suggestion == meant


@pytest.mark.parametrize(
    "placement",
    [
        {"tensors": {"experts": {"hbm": 0.7, "flash": 0.5}}},
        {"tensors": {"experts": {"hbm": 0.7}}},
        {"tensors": {"states": "flash"}},
        {"tensors": {"kv_cache": "flash"}, "kv_cache": 0.5, "tiers": ["hbm", "dram"]},
        {"operators": {"gemm": {"twin": 0.7, "host": 0.5}}},
        {"operators": {"gemm": 0.5}},
        {"operators": {"gemm": {}}},
    ],
)
def test_shares_that_make_no_sense_are_refused(placement: dict[str, Any]) -> None:
    with pytest.raises(llmperf.InputError) as found:
        llmperf.estimate(**MIXTRAL, placement=placement)
    assert len(found.value.problems) == 1


def split(*names: str) -> st.SearchStrategy[Any]:
    """A place, or shares of several."""
    shares = st.dictionaries(st.sampled_from(names), st.floats(0.0, 1.0 / len(names)), min_size=1)
    return st.one_of(st.sampled_from(names), shares)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([LLAMA, MIXTRAL]),
    st.fixed_dictionaries(
        {},
        optional={
            "gemm": split("twin", "host"),
            "moe": split("twin", "host"),
            "attention.decode": split("twin", "host"),
            "attention.prefill": split("twin"),
            "elementwise": split("twin", "host"),
        },
    ),
    st.fixed_dictionaries({}, optional={"weights": split("dram", "flash"), "kv_cache": split("dram", "flash")}),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(1, 64),
)
def test_bound_roofline_and_projection_stay_in_order_with_any_placement(
    base: dict[str, Any], operators: dict[str, Any], tensors: dict[str, Any], concurrency: float, batch: int
) -> None:
    hardware = {**TWINS, "concurrency": concurrency}
    placement = {"operators": operators, "tensors": tensors}
    found = llmperf.estimate(**{**base, "hardware": hardware, "batch": batch}, placement=placement)
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        bound, ideal, projected = (getattr(part, name) for part in (found.bound, found.roofline, found.projection))
        assert bound <= ideal * (1 + 1e-9), name
        assert ideal <= projected * (1 + 1e-9), name
