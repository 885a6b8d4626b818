"""Calibration finds the constants that made the data, refuses what too few rows say, and never writes half a file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import llmperf
from llmperf.costs.machine import Machine
from llmperf.descriptors.achieved import AttentionDecodeAchieved, CacheAchieved, GemmAchieved
from llmperf.evidence import calibration
from llmperf.evidence.calibrate import calibrate
from llmperf.evidence.fit import NoFitError, robust
from llmperf.evidence.kernels.base import Kernels, chip
from llmperf.evidence.kernels.formats import FORMATS, predict
from llmperf.evidence.tables import parse
from llmperf.interfaces.cli.writing import write_constants
from llmperf.numeric import Array
from llmperf.scenarios.components import component

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
HEAD = "device,dtype,m,n,k,time_us,kernel,source"
SHAPES = [(m, n, k) for m in (1, 16, 64, 512, 4096, 16384) for n in (1024, 8192, 28672) for k in (1024, 4096, 16384)]
TRUTH = GemmAchieved(compute=0.62, memory=0.71, latency=9e-6)
MY_BOX = """\
# My machine, as I wrote it.
kind: gpu
vendor: mine
engines:
  matrix: {kind: matrix, peaks: {bf16: 100 TFLOP/s}}
  vector: {kind: vector, peaks: {fp32: 10 TFLOP/s}}
tiers:
  main: {kind: main, capacity: 24 GiB, bandwidth: 800 GB/s}  # kept
"""


def products(times: Array | None = None, device: str = "A100") -> str:
    values = np.ones(len(SHAPES)) if times is None else times * 1e6
    lines = [
        f"{device},bfloat16,{m},{n},{k},{time:.6g},none,mine" for (m, n, k), time in zip(SHAPES, values, strict=True)
    ]
    return "\n".join([HEAD, *lines]) + "\n"


def calibrated(*arguments: Any, **keywords: Any) -> calibration.Calibrated:
    """A calibration whose file is written, as the command does it."""
    found = calibration.run(*arguments, **keywords)
    write_constants(found)
    return found


def group(text: str) -> Kernels:
    (found,) = FORMATS["gemm"][1](parse(text.encode(), "gemm.csv")).kernels
    return found


def synthetic(noise: float = 0.03) -> Kernels:
    """Products of a chip whose constants are known, measured with some noise."""
    part = group(products())
    truth = predict(part, TRUTH, machine(part))
    return group(products(truth * np.exp(np.random.default_rng(7).normal(0, noise, len(SHAPES)))))


def machine(part: Kernels) -> Machine:
    """Its machine as calibration starts: without a cache."""
    hardware = chip(part.device)
    return Machine(replace(hardware, achieved=replace(hardware.achieved, cache=None)))


def test_the_constants_that_made_the_data_are_found() -> None:
    found = calibrate([synthetic()], component("achieved", "gpu-datacenter"), samples=10).fits["gemm"]["bf16"]
    assert found.constants.compute == pytest.approx(TRUTH.compute, rel=0.05)
    assert found.constants.memory == pytest.approx(TRUTH.memory, rel=0.05)
    part = synthetic()
    times = [predict(part, constants, machine(part)) for constants in (TRUTH, found.constants)]
    assert times[1] == pytest.approx(times[0], rel=0.05)  # the latency is shared out between its two terms
    assert found.median < 0.04


def test_a_few_wild_rows_do_not_move_the_constants() -> None:
    part = synthetic()
    measured = part.measured.copy()
    measured[::12] *= 8.0
    base = component("achieved", "gpu-datacenter")
    clean = calibrate([part], base, samples=0).fits["gemm"]["bf16"].constants
    wild = calibrate([replace(part, measured=measured)], base, samples=0).fits["gemm"]["bf16"].constants
    assert wild.compute == pytest.approx(clean.compute, rel=0.1)
    assert wild.memory == pytest.approx(clean.memory, rel=0.1)


def test_the_intervals_hold_the_constants() -> None:
    found = calibrate([synthetic()], component("achieved", "gpu-datacenter"), samples=20).fits["gemm"]["bf16"]
    for name in ("compute", "memory"):
        assert found.low[name] * 0.99 <= getattr(found.constants, name) <= found.high[name] * 1.01
        assert found.low[name] * 0.97 <= getattr(TRUTH, name) <= found.high[name] * 1.03


def test_the_same_data_give_the_same_constants() -> None:
    base = component("achieved", "gpu-datacenter")
    first, second = (calibrate([synthetic()], base, samples=5).fits["gemm"]["bf16"] for _ in range(2))
    assert first == second


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    texts = [
        calibration.run([], ["mi210"], base="gpu-datacenter-amd", samples=2, output=tmp_path / "mi210.yaml").text
        for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_a_constant_that_no_row_determines_stays_where_the_class_has_it() -> None:
    part = synthetic()
    rows = part.take(np.argsort(part.arguments["memory"] / part.arguments["compute"])[:8])  # products limit these
    base = component("achieved", "gpu-datacenter")
    found = robust(
        "gemm", lambda fit: predict(rows, fit, machine(part)), rows.measured, np.ones(len(rows)), base.gemm["bf16"]
    )
    assert found.constants.memory == pytest.approx(base.gemm["bf16"].memory, rel=0.1)


CONTEXTS = [(b, s, h) for b in (1, 8, 64) for s in (512, 2048, 8192, 32768) for h in (8, 32)]


def attention(alone: float = 1.0, repeated: CacheAchieved | None = None) -> list[Kernels]:
    """Decode attention of an L40S with known constants: four query heads a KV head, and one, at `alone` of the rate."""
    head = "device,dtype,kv_dtype,batch,kv_len,n_heads,n_kv_heads,head_dim,kernel,time_us,source"
    lines = [f"L40S,bf16,bf16,{b},{s},{h},{h // g},128,k,1,mine" for g in (4, 1) for b, s, h in CONTEXTS]
    parts = FORMATS["attention_decode"][1](parse("\n".join([head, *lines]).encode(), "a.csv")).kernels
    hardware = chip("l40s")
    box = Machine(replace(hardware, achieved=replace(hardware.achieved, cache=None, repeated=repeated)))
    truth = AttentionDecodeAchieved(compute=0.5, memory=0.8, latency=6e-6)
    fits = {"bf16/d128": truth, "bf16+mha/d128": replace(truth, memory=0.8 * alone)}
    return [replace(part, measured=predict(part, fits[part.scheme], box)) for part in parts]


def test_a_kernel_of_its_own_for_one_query_head_is_fitted_apart() -> None:
    base = component("achieved", "gpu-gddr")
    found = calibrate(attention(alone=0.5), base, samples=0).fits["attention_decode"]
    assert found["bf16+mha/d128"].mean < 0.1
    assert "bf16+mha/d128" not in calibrate(attention(), base, samples=0).fits["attention_decode"]


def test_a_cache_that_is_read_again_is_no_bandwidth_of_the_memory() -> None:
    base = component("achieved", "gpu-gddr")
    cache = CacheAchieved(1.1, 3.0)
    assert calibrate(attention(repeated=cache), base, samples=0).repeated == cache
    assert calibrate(attention(), base, samples=0).repeated is None


def test_rows_too_few_are_refused_by_the_fit_and_by_the_command(tmp_path: Path, run: Run) -> None:
    lines = products().splitlines()[:4]
    part = group("\n".join(lines) + "\n")
    with pytest.raises(NoFitError, match="3 rows"):
        robust(
            "gemm",
            lambda constants: predict(part, constants, machine(part)),
            part.measured,
            np.ones(3),
            TRUTH,
        )
    data, output = tmp_path / "gemm.csv", tmp_path / "mine.yaml"
    data.write_text("\n".join(lines) + "\n")
    done = run("calibrate", str(data), "--hardware", "a100-sxm-80gb", "--output", str(output))
    assert done.returncode == 2
    assert "3 rows" in done.stderr
    assert not output.exists()


def test_a_file_that_exists_is_kept_unless_forced(tmp_path: Path, run: Run) -> None:
    output = tmp_path / "mi210.yaml"
    output.write_text("mine\n")
    arguments = ("calibrate", "--hardware", "mi210", "--samples", "0", "--output", str(output))
    kept = run(*arguments)
    assert kept.returncode == 2
    assert "--force" in kept.stderr
    assert output.read_text() == "mine\n"
    assert run(*arguments, "--force").returncode == 0
    assert yaml.safe_load(output.read_text())["basis"] == "calibrated"


def test_what_ships_is_what_the_command_makes(tmp_path: Path) -> None:
    output = tmp_path / "mi210.yaml"
    calibrated([], ["mi210"], base="gpu-datacenter-amd", samples=0, output=output)
    made, ships = (
        yaml.safe_load(output.read_text()),
        yaml.safe_load((ROOT / "hardware/achieved/mi210.yaml").read_text()),
    )
    for section in ("gemm", "elementwise"):
        assert made[section] == ships[section]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--hardware"),
        (("--hardware", "h100-smx"), "h100-sxm"),
        (("--hardware", "h100-sxm,h200-sxm", "--samples", "0"), "--name"),
        (("--hardware", "mi210", "--base", "gpu-datacentre", "--output", "x.yaml"), "gpu-datacenter"),
        (("no-such.csv", "--hardware", "mi210", "--output", "x.yaml"), "no-such.csv"),
    ],
    ids=["no-chip", "misspelled-chip", "class-without-name", "misspelled-class", "no-file"],
)
def test_wrong_arguments_are_one_clear_error(arguments: tuple[str, ...], said: str, tmp_path: Path, run: Run) -> None:
    done = run("calibrate", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_ones_own_machine_is_calibrated_in_place_and_predicted(
    tmp_path: Path, answer: Callable[..., dict[str, Any]]
) -> None:
    hardware, data = tmp_path / "hardware.yaml", tmp_path / "gemm.csv"
    hardware.write_text(f"{MY_BOX}achieved: gpu-gddr\nsources: {{compute: data sheet}}\n")
    data.write_text(products(synthetic().measured * 3.12, "my-box"))
    scenario = ("--hardware", str(hardware), "--model", "llama-3.2-1b")
    before = answer("estimate", *scenario)
    made = answer("calibrate", str(data), "--hardware", str(hardware), "--samples", "0", "--force")
    content = hardware.read_text()
    assert made["rows"] == len(SHAPES)
    assert content.startswith(MY_BOX)
    assert "sources: {compute: data sheet}" in content
    assert yaml.safe_load(content)["achieved"]["basis"] == "calibrated"
    after = answer("estimate", *scenario)
    assert after["bound"] == before["bound"]
    assert after["projection"] != before["projection"]


def test_rows_of_other_chips_are_no_part_of_a_calibration(tmp_path: Path) -> None:
    data = tmp_path / "gemm.csv"
    text = products(synthetic().measured)
    others = products(device="H100").partition("\n")[2]
    data.write_text(text)
    alone = calibrated([data], ["a100-sxm-80gb"], samples=0, output=tmp_path / "alone.yaml")
    data.write_text(text + others)
    among = calibrated([data], ["a100-sxm-80gb"], samples=0, output=tmp_path / "among.yaml")
    assert alone.calibration.rows == among.calibration.rows == len(SHAPES)
    assert alone.calibration.fits == among.calibration.fits


def test_make_calibrate_refits_every_constant_that_was_fitted() -> None:
    lines = subprocess.run(
        ["make", "--dry-run", "calibrate"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.splitlines()
    made = {}
    for line in lines:
        if " calibrate " in line:
            words = line.split()
            made[Path(words[words.index("--output") + 1]).stem] = words[words.index("--hardware") + 1].split(",")
    files = (ROOT / "hardware/achieved").glob("*.yaml")
    fitted = {path.stem for path in files if "fitted" in yaml.safe_load(path.read_text())}
    assert set(made) == fitted
    for chips in made.values():
        for one in chips:
            assert component("hardware", one).name == one


def test_the_launch_that_a_timer_held_is_no_part_of_a_captured_product() -> None:
    bf16 = synthetic()
    plugin = products().replace("bfloat16", "int4_wo").replace(",none,", ",trt_flow_/plugin,")
    launched = group(plugin)
    measured = predict(launched, TRUTH, machine(launched)) + 8e-6
    parts = [bf16, replace(launched, measured=measured)]
    fits = calibrate(parts, component("achieved", "gpu-datacenter"), samples=0).fits["gemm"]
    assert fits["w4a16"].constants.latency == fits["bf16"].constants.latency
    own = next(fit for name, fit in fits.items() if name.startswith("w4a16/"))
    assert own.constants.latency > fits["w4a16"].constants.latency + 6e-6
    assert own.constants.compute == pytest.approx(fits["w4a16"].constants.compute, rel=0.01)


@pytest.mark.parametrize(
    "block",
    [
        "achieved: gpu-gddr  # until measured\n",
        "achieved:\n  extends: gpu-gddr\n  launch: 5 us\n",
        "achieved: {\n  extends: gpu-gddr,\n}\n",
    ],
    ids=["name", "block", "flow"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_all_but_the_efficiencies_of_ones_own_file_stays_byte_for_byte(
    block: str, newline: str, tmp_path: Path
) -> None:
    before, after = MY_BOX, "\n# where the numbers are from\nsources: {compute: data sheet}\n\n# the end"
    hardware, data = tmp_path / "hardware.yaml", tmp_path / "gemm.csv"
    hardware.write_bytes(f"{before}{block}{after}".replace("\n", newline).encode())
    data.write_text(products(synthetic().measured * 3.12, "my-box"))
    calibrated([data], [str(hardware)], samples=0, force=True)
    content = hardware.read_bytes()
    assert content.startswith(before.replace("\n", newline).encode())
    assert content.endswith(after.replace("\n", newline).encode())
    assert yaml.safe_load(content)["achieved"]["basis"] == "calibrated"


@pytest.mark.parametrize(("engine", "borrows"), [("tensorrt-llm", True), ("vllm", False), ("generic", True)])
def test_an_answer_says_where_experts_run_by_the_kernel_of_other_software(engine: str, borrows: bool) -> None:
    answer = llmperf.estimate(model="qwen3-30b-a3b", hardware="b200-sxm", weights="nvfp4", engine=engine)
    assert any("expert kernel" in reason for reason in answer.extrapolated) is borrows
