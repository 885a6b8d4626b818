"""`llmperf bench`: measures this machine, keeps its time, and leaves whole files or none."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from llmperf.errors import InputError
from llmperf.evidence.bench import gpu, report, timing
from llmperf.evidence.bench.figures import best_of
from llmperf.evidence.bench.loop import Outcome, measure
from llmperf.evidence.bench.plan import PARTS, TABLES, Facts, Trial
from llmperf.evidence.bench.timing import Timing, TooSlowError, timed
from llmperf.evidence.tables import read

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
SECONDS = 5.0
COMMAND = [
    sys.executable,
    "-c",
    "import sys\nfrom llmperf.interfaces.cli import main\nsys.argv[0] = 'llmperf'\nmain()",
    "bench",
    "--device",
    "cpu",
]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A short measurement of the processor that runs the tests."""
    where = tmp_path_factory.mktemp("bench")
    arguments = ["--name", "mybox", "--output", "box", "--seconds", f"{SECONDS}", "--memory", "0.02", "--json"]
    begin = time.monotonic()
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, cwd=where, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "there is no bar where there is no terminal"
    data: dict[str, Any] = json.loads(done.stdout, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    return {**data, "where": where, "wall": time.monotonic() - begin}


def _figure(data: dict[str, Any], name: str) -> float:
    return float(next(figure["value"] for figure in data["figures"] if figure["name"] == name))


def test_the_processor_is_measured_within_its_time(measured: dict[str, Any]) -> None:
    assert measured["schema_version"] == 1
    assert measured["device"]["kind"] == "cpu"
    assert _figure(measured, "memory.main_bytes_per_s") > 0.5e9
    assert _figure(measured, "gemm.fp32_flop_per_s") > 1e8
    assert measured["wall"] < SECONDS + 15.0, "starting Python, and one case beyond the time"


def test_every_table_is_readable_and_its_times_are_positive(measured: dict[str, Any]) -> None:
    files = [measured["where"] / file for file in measured["files"]]
    assert {"stream.csv", "gemm.csv", "elementwise.csv", "hardware.yaml"} <= {file.name for file in files}
    rows = 0
    for file in files:
        if file.suffix == ".csv":
            table = read(file)
            assert (table.seconds() > 0).all()
            assert set(table.text("device")) == {"mybox"}
            table.check()
            rows += len(table)
    assert rows == sum(part["measured"] for part in measured["parts"])


def test_tables_have_the_columns_of_kernel_measurements() -> None:
    """Those that public kernel measurements are collected in, so that both are read alike."""
    assert ",".join(TABLES["gemm"]) == "device,dtype,m,n,k,time_us,kernel,source"
    assert ",".join(TABLES["elementwise"]) == "device,op,tokens,hidden,bytes,time_us,source"
    assert ",".join(TABLES["attention_prefill"]) == (
        "device,dtype,kv_dtype,batch,q_len,kv_len,n_heads,n_kv_heads,head_dim,causal,kernel,time_us,source"
    )
    assert ",".join(TABLES["attention_decode"]) == (
        "device,dtype,kv_dtype,batch,kv_len,n_heads,n_kv_heads,head_dim,kernel,time_us,source"
    )
    assert ",".join(TABLES["collectives"]) == "device,topology,op,n_ranks,bytes,time_us,source"


def test_no_measured_product_beats_the_peak_that_was_written(measured: dict[str, Any]) -> None:
    peak = _figure(measured, "gemm.fp32_flop_per_s")
    table = read(measured["where"] / "box" / "gemm.csv")
    work = 2.0 * table.numbers("m") * table.numbers("n") * table.numbers("k")
    rates = (work / table.seconds())[table.labels("dtype") == "fp32"]
    assert rates.max() == pytest.approx(peak, rel=1e-4)


def test_the_hardware_file_estimates(measured: dict[str, Any], answer: Answer) -> None:
    file = measured["where"] / measured["hardware"]
    assert all(path in yaml.safe_load(file.read_text())["sources"] for path in ("tiers.dram.bandwidth", "engines"))
    data = answer("estimate", "--hardware", str(file), "--model", "llama-3.1-8b")
    known = {name: bound for name, bound in data["bound"].items() if bound is not None}
    assert {"ttft_s", "tpot_s", "output_tokens_per_s"} <= set(known)
    for name, bound in known.items():
        slower, faster = data["projection"][name], bound
        if name.endswith("per_s"):
            slower, faster = faster, slower
        assert faster <= slower, name


def test_an_earlier_measurement_is_replaced_only_when_asked(measured: dict[str, Any], run: Run) -> None:
    where, before = measured["where"], (measured["where"] / "box" / "hardware.yaml").read_text()
    short = ("bench", "--device", "cpu", "--output", "box", "--seconds", "2", "--memory", "0.01", "--only", "stream")
    refused = run(*short, cwd=where)
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    (where / "box" / "notes.txt").write_text("mine")
    refused = run(*short, "--force", cwd=where)
    assert refused.returncode == 2
    assert "notes.txt" in refused.stderr
    assert (where / "box" / "hardware.yaml").read_text() == before
    (where / "box" / "notes.txt").unlink()
    done = run(*short, "--force", cwd=where)
    assert done.returncode == 0, done.stderr
    assert "needs what --only gemm measures" in " ".join(done.stdout.split())
    assert [path.name for path in (where / "box").iterdir()] == ["stream.csv"]
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    assert [path.name for path in where.iterdir()] == ["box"]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_an_interrupted_measurement_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--output", "box", "--seconds", "60", "--memory", "0.01"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # what runs in the background of a shell ignores the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        time.sleep(4.0)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_plan_lists_every_case_and_measures_none(tmp_path: Path, run: Run, answer: Answer) -> None:
    data = answer("bench", "--device", "cpu", "--dry-run", cwd=tmp_path)
    cases = {part["part"]: part["cases"] for part in data["parts"]}
    assert list(cases) == list(PARTS)
    assert {case["row"]["op"] for case in cases["stream"]} == {"copy", "scale", "add", "triad", "dot"}
    assert {case["row"]["dtype"] for case in cases["gemm"]} == {"fp32", "fp64"}
    assert data == answer("bench", "--device", "cpu", "--list", cwd=tmp_path), "the plan is the same every time"
    shown = run("bench", "--device", "cpu", "--list", "--only", "gemm", cwd=tmp_path).stdout
    assert "dtype=fp32 m=1 n=4096 k=4096" in shown
    assert "op=triad" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert list(tmp_path.iterdir()) == []


def test_all_faults_of_the_arguments_are_said_at_once(tmp_path: Path, run: Run) -> None:
    done = run("bench", "--seconds", "0", "--memory", "2", "--name", "a/b", cwd=tmp_path)
    assert done.returncode == 2
    assert [flag in done.stderr for flag in ("--seconds", "--memory", "--name")] == [True] * 3
    assert "did you mean gemm?" in run("bench", "--device", "cpu", "--only", "gem", cwd=tmp_path).stderr
    assert "can be measured here" in run("bench", "--device", "cpu", "--only", "copies", cwd=tmp_path).stderr


class Clock:
    """A clock that only the operations under test move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def run(self, seconds: float, hiccups: Iterator[float] | None = None) -> Callable[[int], float]:
        def run(count: int) -> float:
            spent = count * seconds + (next(hiccups, 0.0) if hiccups is not None else 0.0)
            self.now += spent
            return spent

        return run


def test_the_median_of_repeats_ignores_a_hiccup() -> None:
    clock = Clock()
    found = timed(clock.run(1e-3, iter([0, 0, 0, 0, 0.5, 0, 0, 0])), share=0.5, left=9.0, clock=clock)
    assert found.time == pytest.approx(1e-3)
    assert found.repeats >= 3


def test_short_operations_are_repeated_until_the_clock_can_tell() -> None:
    clock, counts = Clock(), []

    def run(count: int) -> float:
        counts.append(count)
        return clock.run(1e-7)(count)

    assert timed(run, share=0.5, left=9.0, clock=clock).time == pytest.approx(1e-7)
    assert counts[-1] * 1e-7 > 1e-3
    assert clock.now < 1.0


def test_an_operation_too_slow_for_its_time_is_given_up() -> None:
    clock = Clock()
    with pytest.raises(TooSlowError):
        timed(clock.run(1.0), share=1.0, left=3.0, clock=clock)
    assert clock.now == 2.0


def _case(part: str, run: Callable[[int], float], flops: float = 1.0, **row: str | int) -> Trial:
    return Trial(part, part, row, flops, 0.0, lambda: run)


def test_the_time_is_divided_over_the_parts_and_kept() -> None:
    clock = Clock()
    cases = [_case(part, clock.run(0.05), n=n) for part in ("stream", "gemm", "elementwise") for n in range(40)]
    out = measure(cases, 20.0, clock=clock)
    assert len(out.measured) + len(out.skipped) == len(cases)
    assert clock.now < 20.0 + 1.0
    counts = {part: sum(case.part == part for case, _ in out.measured) for part in ("stream", "gemm", "elementwise")}
    assert counts["gemm"] > counts["stream"] > counts["elementwise"] > 0


def test_what_would_take_too_long_is_not_begun() -> None:
    """Judged by the pace of the cases before it."""
    clock = Clock()
    cases = [_case("gemm", clock.run(1e-3), flops=1.0, n=0), _case("gemm", clock.run(50.0), flops=5e4, n=1)]
    out = measure(cases, 10.0, clock=clock)
    assert [case.row["n"] for case, _ in out.skipped] == [1]
    assert clock.now < 10.0


def test_a_case_that_fails_concerns_itself_alone() -> None:
    clock = Clock()

    def broken(count: int) -> float:
        raise RuntimeError(f"out of memory at {count}\nand more")

    out = measure([_case("gemm", broken, n=0), _case("gemm", clock.run(1e-3), n=1)], 10.0, clock=clock)
    assert [why for _, why in out.skipped] == ["RuntimeError: out of memory at 1"]
    assert [case.row["n"] for case, _ in out.measured] == [1]


def test_a_failed_write_leaves_the_old_files_and_nothing_else(tmp_path: Path) -> None:
    report.write(tmp_path / "box", {"gemm.csv": "old\n"}, force=False)
    with pytest.raises(UnicodeEncodeError):
        report.write(tmp_path / "box", {"stream.csv": "new\n", "gemm.csv": "\ud800"}, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["box"]
    assert (tmp_path / "box" / "gemm.csv").read_text() == "old\n"
    report.write(tmp_path / "box", {"stream.csv": "new\n"}, force=True)
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["stream.csv"]
    with pytest.raises(InputError):
        report.write(tmp_path / "box" / "stream.csv", {}, force=True)


GIB = 2**30


@pytest.mark.parametrize(
    ("label", "gib", "name"),
    [
        ("NVIDIA H100 80GB HBM3", 79.1, "h100-sxm"),
        ("NVIDIA H100 PCIe", 79.1, "h100-pcie"),
        ("NVIDIA A100-SXM4-40GB", 39.4, "a100-sxm-40gb"),
        ("NVIDIA GeForce RTX 4090", 23.5, "rtx-4090"),
        ("Tesla V100-SXM2-32GB", 31.7, "v100-sxm-32gb"),
        ("AMD Instinct MI300X", 191.5, "mi300x"),
        ("NVIDIA H100 80GB HBM3", 9.8, None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9.8, None),
        ("Unheard-of Accelerator", 64.0, None),
    ],
)
def test_a_gpu_is_known_by_its_drivers_name_and_memory(label: str, gib: float, name: str | None) -> None:
    assert gpu.known(label, gib * GIB) == name


def _measured_gpu(extends: str | None) -> tuple[Facts, Outcome]:
    facts = Facts(
        "gpu", "Unheard-of", "NVIDIA", 100, 64 * GIB, 50 * 2**20, 4, "vram", "gpu-datacenter", "torch", extends
    )

    def row(table: str, seconds: float, flops: float, size: float, **cells: str | int) -> tuple[Trial, Timing]:
        return Trial(table, table, cells, flops, size, lambda: lambda count: count * seconds), Timing(seconds, 0.0, 5)

    rows = [
        row("gemm", 1e-3, 4e11, 1e8, dtype="bfloat16", m=4096, n=4096, k=4096, kernel="torch.matmul"),
        row("gemm", 1e-3, 8e11, 1e8, dtype="fp8", m=4096, n=4096, k=4096, kernel="torch._scaled_mm"),
        row("gemm", 1e-3, 1e9, 1e6, dtype="fp16", m=1, n=4096, k=4096, kernel="torch.matmul"),
        row("stream", 1e-3, 0.0, 2e9, op="copy", threads=100, bytes=2 * 10**9),
        row("copies", 1e-3, 0.0, 5e7, direction="host_to_device", memory="pinned", bytes=5 * 10**7),
        row("launches", 4e-6, 0.0, 0.0, mode="eager"),
        row("collectives", 1e-3, 0.0, 2e8, topology="1node", op="all_reduce", n_ranks=4, bytes=2 * 10**8),
    ]
    return facts, Outcome(measured=rows)


def test_an_unknown_gpu_is_described_by_what_was_measured(tmp_path: Path, answer: Answer) -> None:
    facts, outcome = _measured_gpu(None)
    described = report.document("mybox", facts, best_of(outcome))
    assert isinstance(described, dict)
    assert described["engines"]["matrix"]["peaks"] == {"bf16": "400 TFLOP/s", "fp8": "800 TFLOP/s"}
    assert described["tiers"]["vram"] == {"kind": "main", "capacity": "64 GiB", "bandwidth": "2 TB/s"}
    assert described["links"]["peers"] == {"kind": "scale_up", "bandwidth": "300 GB/s", "domain": 4}
    file = tmp_path / "hardware.yaml"
    file.write_text(yaml.safe_dump(described, sort_keys=False))
    data = answer("estimate", "--hardware", str(file), "--model", "llama-3.1-8b", "--tp", "4")
    assert data["bound"]["tpot_s"] <= data["projection"]["tpot_s"]
    tables = report.tables(outcome, "mybox", facts)
    assert tables["collectives.csv"].splitlines()[1].endswith("_eager"), "the host's launches are in these times"
    assert set(tables) == {"gemm.csv", "stream.csv", "copies.csv", "launches.csv", "collectives.csv"}


def test_a_known_gpu_keeps_the_numbers_of_its_data_sheet(tmp_path: Path, answer: Answer) -> None:
    facts, outcome = _measured_gpu("h100-sxm")
    described = report.document("mybox", facts, best_of(outcome))
    assert isinstance(described, dict)
    assert "bf16 products 400 TFLOP/s" in described["notes"]
    file = tmp_path / "hardware.yaml"
    file.write_text(yaml.safe_dump(described, sort_keys=False))
    flags = ("--model", "llama-3.1-8b", "--tp", "4")
    mine = answer("estimate", "--hardware", str(file), *flags)
    assert mine["projection"] == answer("estimate", "--hardware", "h100-sxm", *flags)["projection"]


class FakeTorch:
    """As much of PyTorch as a timer asks for: a device on which kernels take 2 us, and the host 10 us to launch one."""

    KERNEL, LAUNCH = 2e-6, 10e-6

    def __init__(self, capturable: bool = True) -> None:
        self.now, self.capturing, self.recorded = 0.0, False, 0
        device = self

        class Event:
            def __init__(self, enable_timing: bool) -> None:
                assert enable_timing

            def record(self) -> None:
                self.at = device.now

            def synchronize(self) -> None:
                pass

            def elapsed_time(self, end: Any) -> float:
                return 1e3 * float(end.at - self.at)

        class Graph:
            def replay(self) -> None:
                device.now += device.recorded * device.KERNEL

        @contextlib.contextmanager
        def graph(_: Graph) -> Iterator[None]:
            if not capturable:
                raise RuntimeError("operation not permitted when stream is capturing")
            device.capturing = True
            yield
            device.capturing = False

        stream = SimpleNamespace(wait_stream=lambda _: None)
        self.cuda = SimpleNamespace(
            Event=Event,
            CUDAGraph=Graph,
            graph=graph,
            Stream=lambda: stream,
            stream=lambda _: contextlib.nullcontext(),
            current_stream=lambda: stream,
            synchronize=lambda: None,
        )

    def kernel(self, turn: int) -> None:
        assert turn >= 0
        if self.capturing:
            self.recorded += 1
        else:
            self.now += max(self.KERNEL, self.LAUNCH)


def test_a_replayed_graph_times_the_kernel_without_its_launch() -> None:
    torch = FakeTorch()
    run = timing.Timer(torch, SimpleNamespace(type="cuda")).captured(torch.kernel)
    assert run(1000) / 1000 == pytest.approx(torch.KERNEL)
    assert run(1) == pytest.approx(torch.KERNEL)


def test_what_cannot_be_captured_runs_eagerly_and_is_counted() -> None:
    torch = FakeTorch(capturable=False)
    timer = timing.Timer(torch, SimpleNamespace(type="cuda"))
    assert timer.captured(torch.kernel)(1000) / 1000 == pytest.approx(torch.LAUNCH)
    assert timer.uncaptured == 1


def _fake_cuda(name: str, devices: int, gib: float, capability: tuple[int, int], l2: int) -> Any:
    """The names of PyTorch that describe a machine with equal devices."""
    card = SimpleNamespace(
        name=name,
        total_memory=int(gib * GIB),
        multi_processor_count=132,
        major=capability[0],
        minor=capability[1],
        L2_cache_size=l2,
    )
    torch: Any = FakeTorch()
    torch.__version__ = "2.8.0+cu128"
    torch.version = SimpleNamespace(hip=None)
    torch.device = lambda kind, index=0: SimpleNamespace(type=kind, index=index)
    torch.cuda.get_device_properties = lambda _: card
    torch.cuda.mem_get_info = lambda _: (int(0.9 * gib * GIB), int(gib * GIB))
    torch.cuda.get_device_name = lambda _: name
    torch.cuda.device_count = lambda: devices
    for dtype in ("bfloat16", "float16", "float32", "float8_e4m3fn"):
        setattr(torch, dtype, dtype)
    return torch


def test_the_plan_of_eight_gpus_has_every_part_and_fits_the_memory() -> None:
    device = gpu.Gpu(_fake_cuda("NVIDIA H100 80GB HBM3", 8, 79.1, (9, 0), 50 * 2**20), 0.25)
    assert (device.facts.extends, device.facts.devices) == ("h100-sxm", 8)
    cases = device.cases()
    assert list(dict.fromkeys(case.part for case in cases)) == list(PARTS)
    assert {case.row["dtype"] for case in cases if case.part == "gemm"} == {"bfloat16", "fp8", "fp16", "fp32"}
    assert {case.row["n_ranks"] for case in cases if case.part == "collectives"} == {2, 8}
    assert max(case.bytes for case in cases) < 0.25 * 0.9 * 79.1 * GIB
    for case in cases:
        assert {*case.row, "device", "time_us", "source"} == set(TABLES[case.table])
    small = gpu.Gpu(_fake_cuda("NVIDIA GeForce RTX 3090", 1, 23.6, (8, 6), 6 * 2**20), 0.01)
    assert small.facts.achieved == "gpu-consumer"
    assert "fp8" not in {case.row.get("dtype") for case in small.cases()}, "its units have no fp8"
    assert max(case.bytes for case in small.cases()) < 0.01 * 0.9 * 23.6 * GIB


def test_the_operators_of_a_gpu_run_where_pytorch_is_installed() -> None:
    """On the processor, through the same calls; what needs CUDA itself is not reached."""
    torch = pytest.importorskip("torch")
    device = gpu.Gpu(torch, 0.05, "cpu")
    try:
        device.rotated = 8 * 2**20
        cheapest: dict[Any, Trial] = {}
        for case in sorted(device.cases(), key=lambda case: -(case.flops or case.bytes)):
            cheapest[case.table, case.row.get("op"), case.row.get("dtype")] = case
        chosen = [case for part in PARTS for case in cheapest.values() if case.part == part]
        out = measure(chosen, 60.0, prepare=device.prepare)
    finally:
        device.close()
    tables = {case.table for case, _ in out.measured}
    assert {"stream", "gemm", "elementwise", "attention_prefill", "attention_decode"} <= tables
    assert all("Error" not in why for _, why in out.skipped), out.skipped
    assert {figure.name for figure in best_of(out)} >= {"gemm.bf16_flop_per_s", "attention_decode_bytes_per_s"}


def test_two_processes_reduce_together_where_pytorch_is_installed() -> None:
    pytest.importorskip("torch")
    from llmperf.evidence.bench.ranks import Ranks

    ranks = Ranks(2, "gloo")
    try:
        assert 0.0 < ranks.all_reduce(1 << 16, 3) < 30.0
        assert ranks.all_reduce(1 << 12, 1) > 0.0
    finally:
        ranks.close()
    assert not any(process.is_alive() for process in ranks.processes)


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "examples/bench").iterdir() if path.is_dir()))
def test_measured_machines_that_ship_can_be_fitted_and_asked(
    folder: str, tmp_path: Path, run: Run, answer: Answer
) -> None:
    where = ROOT / "examples/bench" / folder
    assert f"`{folder}`" in (ROOT / "examples/bench/README.md").read_text(), "with its machine and its date"
    tables = sorted(where.glob("*.csv"))
    for path in tables:
        columns = tuple(read(path).columns)
        assert columns == TABLES[path.stem]
        assert (read(path).seconds() > 0).all()
    made, hardware = tmp_path / "fitted.yaml", where / "hardware.yaml"
    done = run("calibrate", *map(str, tables), "--hardware", str(hardware), "--output", str(made))
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(made.read_text())["achieved"]["fitted"]
    band = answer("estimate", "--hardware", str(made), "--model", "qwen3-0.6b")["error_band"]["decode"]
    assert not band["chip_measured"]
    assert band["calibration_error"] > 0.05, "what the fits err by widens the band"
