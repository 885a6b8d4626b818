"""What devices share and send: meshes, nodes, pipelines, host memory, each against arithmetic by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.contract.answers import operators_dict


def rows(step: str, **scenario: Any) -> dict[str, dict[str, Any]]:
    data = operators_dict(llmperf.load(None, scenario), step)
    return {row["name"]: row for row in data["steps"][0]["operators"]}


@pytest.mark.parametrize(("tp", "links"), [(2, 1), (4, 3), (8, 7)])
def test_devices_of_a_mesh_reach_each_other_over_their_own_links_alone(tp: int, links: int) -> None:
    """MI300X: seven links of 64 GB/s, one to each peer; an all-reduce sends 2 (n - 1) / n of its vector."""
    row = rows("prefill", model="llama-3.1-70b", hardware="hgx-mi300x", tp=tp, batch=4, input=1000, output=2)
    vector = 4 * 1000 * 8192 * 2
    assert row["tp_all_reduce"]["roofline_s"] == pytest.approx(2 * (tp - 1) / tp * vector / (links * 64e9))


@given(st.sampled_from([2, 4, 8]))
def test_a_mesh_is_no_faster_than_a_switch_of_its_bandwidth_and_the_bound_holds(tp: int) -> None:
    scenario: dict[str, Any] = {"model": "llama-3.1-70b", "tp": tp, "batch": 4, "input": 500, "output": 20}
    mesh = llmperf.estimate(hardware="hgx-mi300x", **scenario)
    switch = llmperf.estimate(
        {"hardware": {"extends": "hgx-mi300x", "links": {"xgmi": {"topology": "switch"}}}}, **scenario
    )
    assert mesh.projection.ttft_s >= switch.projection.ttft_s
    assert mesh.bound.ttft_s == switch.bound.ttft_s
    assert mesh.bound.ttft_s <= mesh.roofline.ttft_s <= mesh.projection.ttft_s


@pytest.mark.parametrize(
    ("tp", "pp", "inside", "leaving"),
    [(4, 2, 1, 0), (4, 4, 2, 1), (8, 2, 0, 1), (8, 4, 0, 3), (2, 6, 4, 1), (6, 3, 0, 2)],
)
def test_a_pipeline_leaves_a_node_of_eight_as_often_as_its_stages_do(
    tp: int, pp: int, inside: int, leaving: int
) -> None:
    found = rows("prefill", model="llama-3.1-405b", hardware="h100-sxm", tp=tp, pp=pp, weights="fp8", output=2)
    assert found.get("pp_send", {"repeat": 0})["repeat"] == inside
    assert found.get("pp_send_out", {"repeat": 0})["repeat"] == leaving
    if leaving:
        row = found["pp_send_out"]
        assert row["roofline_s"] == pytest.approx(row["message_bytes"] / 50e9)  # one 400 Gb/s NIC a GPU


@pytest.mark.parametrize(
    ("hardware", "tier", "tp", "share"),
    [
        ("gb200-nvl72", "lpddr", 1, 480e9),  # one Grace of 480 GB for two GPUs
        ("gb200-nvl72", "lpddr", 2, 240e9),
        ("gb200-nvl72", "lpddr", 8, 240e9),
        ("frontier-node", "ddr", 2, 256e9),  # 512 GB for eight
        ("frontier-node", "ddr", 8, 64e9),
    ],
)
def test_a_device_has_its_share_of_the_memory_that_its_neighbours_use_too(
    hardware: str, tier: str, tp: int, share: float
) -> None:
    """Llama-3.1-8B keeps 131,072 bytes a token, divided by tp."""
    main, both = (
        llmperf.estimate(model="llama-3.1-8b", hardware=hardware, tp=tp, output=2, tiers=tiers).memory.kv_pool_tokens
        for tiers in (["hbm"], ["hbm", tier])
    )
    assert both - main == pytest.approx(share / (131_072 / tp), abs=2)


def test_the_channels_of_a_split_mamba_layer_are_summed_before_its_scan() -> None:
    """Jamba: 28 mamba layers; 256 of the step's rank and 2 x 16 of the state for each token."""
    row = rows("decode", model="jamba-v0.1", hardware="h100-sxm", tp=4, batch=3, input=100, output=2)["ssm_all_reduce"]
    assert row["repeat"] == 28
    assert row["message_bytes"] == 3 * (256 + 32) * 2
    assert "ssm_all_reduce" not in rows("decode", model="jamba-v0.1", hardware="h100-sxm", output=2)
    assert "ssm_all_reduce" not in rows("decode", model="mamba2-2.7b", hardware="h100-sxm", tp=2, output=2)
