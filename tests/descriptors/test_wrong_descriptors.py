"""Wrong descriptors: quantities of other dimensions, chips that lack or misname a part."""

from __future__ import annotations

from pathlib import Path

from wrong import (
    Case,
    answered,
    assigned,
    cases,
    named_in_plain_lines,
    one_json_object,
)

CHIP = """\
kind: gpu
vendor: ACME
engines:
  matrix: {kind: matrix, peaks: {bf16: 100 TFLOP/s}}
tiers:
  hbm: {kind: main, capacity: 80 GiB, bandwidth: 2 TB/s}
links:
  bus: {kind: host, bandwidth: 60 GB/s}
achieved: gpu-datacenter
sources: {all: made up for a test}
"""
ON_CHIP = ("estimate", "--model", "llama-3.1-8b", "--hardware", "acme", "--catalog", "{tmp}")


def chip(old: str, new: str) -> dict[str, str]:
    """A user's chip with one thing changed."""
    assert old in CHIP
    return {"chips/acme.yaml": CHIP.replace(old, new)}


UNITS = (
    assigned("hardware.links.nvlink.peer_to_peer", "false", "kind host alone"),
    assigned("hardware.tiers.hbm.capacity", '"80 parsecs"', "80 parsecs", "GiB"),
    assigned("hardware.tiers.hbm.bandwidth", '"3 TFLOP/s"', "3 TFLOP/s", "B/s"),
    assigned("hardware.tiers.hbm.bandwidth", '"3.35 TB"', "3.35 TB", "B/s"),
    assigned("hardware.tiers.hbm.capacity", '"-80 GiB"', "-80 GiB", "more than zero"),
    assigned("hardware.tiers.hbm.bandwidth", "0", "more than zero"),
    assigned("hardware.tiers.hbm.bandwidth", "NaN"),
    assigned("hardware.tiers.hbm.bandwidth", "1e-320", "bandwidth", id="set-bandwidth-that-overflows-every-time"),
    assigned("weights.bits", "1e308", "bits", id="set-bits-that-overflow-every-sum"),
    assigned("hardware.tiers.hbm.bandwidth", "true", "True"),
    assigned("hardware.tiers.hbm.bandwidth", "GiB/s"),
    assigned("hardware.tiers.hbm.bandwidth", '["1 TB/s"]', "1 TB/s"),
    assigned("engine.step_time", '"5 GB"', "5 GB", "2 us"),
    assigned("hardware.engines.matrix.peaks.bf16", '"1 TB/s"', "1 TB/s", "FLOP/s"),
    assigned(
        "hardware.achieved",
        '{"extends": "gpu-datacenter", "gemm": {"default": {"compute": 0}}}',
        "compute",
        path=None,
        id="set-efficiency-of-zero",
    ),
    assigned(
        "hardware.achieved",
        '{"extends": "gpu-datacenter", "gemm": {"default": {"compute": 1.2}}}',
        "1.2",
        path="hardware.achieved.gemm.default.compute",
        id="set-efficiency-above-one",
    ),
)
CATALOG = (
    Case(
        "alias-of-two-chips",
        (*ON_CHIP, "--hardware", "twice"),
        ("twice", "one"),
        file="two.yaml",
        files={f"chips/{name}.yaml": CHIP + "aliases: [twice]\n" for name in ("one", "two")},
    ),
    Case(
        "two-files-of-one-name",
        ON_CHIP,
        ("acme.yaml", "acme.yml", "same name"),
        files={"chips/acme.yaml": CHIP, "chips/acme.yml": CHIP},
    ),
    Case(
        "aliases-that-are-a-number",
        ON_CHIP,
        ("3",),
        path="aliases",
        file="acme.yaml",
        line=11,
        files={"chips/acme.yaml": CHIP + "aliases: 3\n"},
    ),
    Case(
        "chip-without-main-memory",
        ON_CHIP,
        ("main", "capacity"),
        path="tiers",
        file="acme.yaml",
        line=5,
        files=chip("kind: main", "kind: cache"),
    ),
    Case(
        "chip-without-engines",
        ON_CHIP,
        ("missing",),
        path="engines",
        file="acme.yaml",
        files=chip("engines:\n  matrix: {kind: matrix, peaks: {bf16: 100 TFLOP/s}}\n", ""),
    ),
    Case(
        "chip-without-a-matrix-engine",
        ON_CHIP,
        ("matrix",),
        path="engines",
        file="acme.yaml",
        line=3,
        files=chip("kind: matrix", "kind: vector"),
    ),
    Case(
        "chip-without-sources",
        ON_CHIP,
        ("missing",),
        path="sources",
        file="acme.yaml",
        files=chip("sources: {all: made up for a test}\n", ""),
    ),
    Case(
        "chip-without-efficiencies",
        ON_CHIP,
        ("missing", "gpu-datacenter"),
        path="achieved",
        file="acme.yaml",
        files=chip("achieved: gpu-datacenter\n", ""),
    ),
    Case(
        "chip-of-unknown-efficiencies",
        ON_CHIP,
        ("gpu-datacentre",),
        path="achieved",
        near="gpu-datacenter",
        file="acme.yaml",
        line=9,
        files=chip("gpu-datacenter", "gpu-datacentre"),
    ),
    Case(
        "chip-that-names-an-unknown-link",
        ON_CHIP,
        ("pci", "bus"),
        path="tiers.dram.via",
        file="acme.yaml",
        line=7,
        files=chip("links:", "  dram: {kind: host, capacity: 1 TB, via: pci}\nlinks:"),
    ),
    Case(
        "chip-whose-engine-reads-an-unknown-tier",
        ON_CHIP,
        ("hbn", "hbm"),
        path="engines.matrix.reads",
        file="acme.yaml",
        line=4,
        files=chip("TFLOP/s}}", "TFLOP/s}, reads: hbn}"),
    ),
    Case(
        "chip-with-a-bandwidth-in-flops",
        ON_CHIP,
        ("2 TFLOP/s", "B/s"),
        path="tiers.hbm.bandwidth",
        file="acme.yaml",
        line=6,
        files=chip("2 TB/s", "2 TFLOP/s"),
    ),
    Case(
        "chip-with-a-key-misspelt",
        ON_CHIP,
        ("vendour",),
        path="vendour",
        near="vendor",
        file="acme.yaml",
        line=2,
        files=chip("vendor", "vendour"),
    ),
    Case(
        "chip-that-extends-an-unknown-one",
        ON_CHIP,
        ("h100-smx",),
        path="extends",
        near="h100-sxm",
        file="acme.yaml",
        line=2,
        files={"chips/acme.yaml": "name: acme\nextends: h100-smx\n"},
    ),
    Case(
        "chips-that-extend-each-other",
        ON_CHIP,
        ("extends", "itself"),
        files={"chips/acme.yaml": "extends: other\n", "chips/other.yaml": "extends: acme\n"},
    ),
    Case(
        "yaml-nan-in-hardware",
        ON_CHIP,
        ("nan",),
        path="tiers.hbm.bandwidth",
        file="acme.yaml",
        line=6,
        files=chip("2 TB/s", ".nan"),
    ),
    Case("damaged-chip", ON_CHIP, ("YAML",), file="acme.yaml", files={"chips/acme.yaml": "kind: [gpu\n"}),
)


@cases(*UNITS, *CATALOG)
def test_wrong_input_is_named_in_a_few_plain_lines(case: Case, empty: Path) -> None:
    named_in_plain_lines(case, empty)


@cases(*UNITS, *CATALOG)
def test_wrong_input_is_one_json_object_for_programs(case: Case, empty: Path) -> None:
    one_json_object(case, empty)


@cases(
    Case("chip", ON_CHIP, files=chip("TB/s", "TB/s")),
)
def test_the_right_input_beside_the_wrong_one_is_answered(case: Case, empty: Path) -> None:
    answered(case, empty)
