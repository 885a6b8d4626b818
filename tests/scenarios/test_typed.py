"""Hardware and numbers as people type them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llmperf.errors import InputError
from llmperf.scenarios.resolve import resolve

HARDWARE = {
    "4090": ("rtx-4090", 1),
    "RTX 4090 24GB": ("rtx-4090", 1),
    "NVIDIA GeForce RTX 4090": ("rtx-4090", 1),
    "H100 80GB SXM": ("h100-sxm", 1),
    "NVIDIA H100 80GB HBM3": ("h100-sxm", 1),
    "H100 PCIe 80 GB": ("h100-pcie", 1),
    "A100-SXM4-40GB": ("a100-sxm-40gb", 1),
    "M3 Max": ("m3-max", 1),
    "dgx h100": ("dgx-h100", 8),
    "8xH100": ("dgx-h100", 8),
    "h100 x8": ("h100-sxm", 8),
    "2x rtx 4090": ("workstation-4090-2", 2),
    "3 x rtx 3090": ("rtx-3090", 3),
    "4x A100-SXM4-80GB": ("a100-sxm-80gb", 4),
    "2x dgx-h100": ("dgx-h100", 16),
}


def resolved(hardware: Any, **more: Any) -> Any:
    return resolve(None, {"model": "llama-3.2-1b", "hardware": hardware, **more})


@pytest.mark.parametrize(("written", "expected"), HARDWARE.items())
def test_hardware_is_found_as_people_type_it_and_all_of_it_is_used(written: str, expected: tuple[str, int]) -> None:
    found = resolved(written).scenario
    assert (found.hardware.name, found.parallelism.devices) == expected


CONFIGURED = {
    "M2 Max 30-core GPU 64GB": ("m2-max-30c", 30, 64, 30 / 38, 400e9),
    "Apple M2 Max - 12 CPU / 30 GPU / 64 GB": ("m2-max-30c", 30, 64, 30 / 38, 400e9),
    "M4 Max 32 GPU cores": ("m4-max-32c", 32, 36, 0.8, 409.5e9),
    "Apple M4 Pro 24GB": ("m4-pro", 20, 24, 1, 273e9),
    "M3 Max (30-core GPU, 36GB)": ("m3-max-30c", 30, 36, 0.75, 300e9),
}


@pytest.mark.parametrize(("written", "expected"), CONFIGURED.items())
def test_a_chip_with_fewer_cores_or_less_memory_is_found_and_scaled(written: str, expected: tuple[Any, ...]) -> None:
    name, cores, capacity, share, bandwidth = expected
    found = resolved(written).scenario.hardware
    whole = resolved(re.sub(r"-\d+c$", "", name)).scenario.hardware
    assert (found.name, found.cores, found.main.capacity) == (name, cores, capacity * 2**30)
    rates = (found.engines["matrix"].peaks["fp16"], whole.engines["matrix"].peaks["fp16"])
    assert rates[0] == pytest.approx(share * rates[1], rel=1e-3)
    assert found.main.bandwidth == pytest.approx(bandwidth, rel=0.01)


def test_a_card_is_found_before_its_host() -> None:
    written = "NVIDIA GeForce RTX 5070 12GB / 13th Gen Intel(R) Core(TM) i9-13900HK"
    assert resolved(written).scenario == resolved("rtx-5070").scenario


@pytest.mark.parametrize(
    "written", ["M2 Max 99-core GPU", "M2 Pro 12-core CPU", "M4 Pro 512GB", "RTX 3060 10-core GPU"]
)
def test_what_no_chip_is_sold_as_is_not_guessed(written: str) -> None:
    with pytest.raises(InputError, match="unknown hardware"):
        resolved(written)


def test_aliases_that_are_numbers_are_names() -> None:
    assert resolved(4090).scenario == resolved("rtx-4090").scenario
    assert resolved({"extends": 3090}).scenario.hardware.name == "rtx-3090"
    assert resolved(4090, **{"hardware.tiers.gddr.capacity": "48 GiB"}).scenario.hardware.main.capacity == 48 * 2**30


def test_a_layout_goes_before_the_number_and_may_not_use_more() -> None:
    assert resolved("8x l40s", tp=4).scenario.parallelism.devices == 4
    assert resolved("8x l40s", devices=2).scenario.parallelism.devices == 2
    with pytest.raises(InputError, match="l40s has 8"):
        resolved("8x l40s", tp=16)


@pytest.mark.parametrize("written", ["A100 50GB", "RTX 4091", "3x nonsense", "80GB", "0x", "x8"])
def test_what_is_no_product_or_has_another_memory_is_not_guessed(written: str) -> None:
    with pytest.raises(InputError, match="unknown hardware"):
        resolved(written)


@pytest.mark.parametrize(
    ("written", "tokens"),
    [("32k", 32_000), ("32K", 32_768), ("32Ki", 32_768), ("1e3", 1000), ("1.5k", 1500), ("2k tokens", 2000)],
)
def test_counts_may_be_written_short(written: str, tokens: int) -> None:
    assert resolved("h100-sxm", input=written).scenario.workload.input == tokens


@pytest.mark.parametrize("written", ["32 apples", "1.0001k tokens a day", "0.5", "-1k", "1e99", "k", "0.0004k", "8"])
def test_what_is_no_count_is_refused(written: str) -> None:
    with pytest.raises(InputError, match=r"workload\.input"):
        resolved("h100-sxm", input=written)


def test_a_processor_takes_the_memory_that_is_given_and_else_says_how() -> None:
    with pytest.raises(InputError, match=r"hardware\.tiers\.ddr\.capacity='768 GB', or --hardware epyc-9654-host"):
        resolved("epyc-9654")
    found = resolved("epyc-9654", **{"hardware.tiers.ddr.capacity": "768 GB"}).scenario
    assert found.hardware.main.capacity == 768e9


def test_a_typing_error_makes_no_new_memory_and_a_new_one_says_its_kind() -> None:
    with pytest.raises(InputError, match="has no tier 'gdr'") as caught:
        resolved("rtx-4090", **{"hardware.tiers.gdr.bandwidth": "1 TB/s"})
    assert caught.value.problems[0].suggestion == "gddr"
    new = {"kind": "host", "capacity": "64 GiB", "via": "pcie"}
    assert "dram" in resolved("rtx-4090", **{"hardware.tiers.dram": new}).scenario.hardware.tiers
