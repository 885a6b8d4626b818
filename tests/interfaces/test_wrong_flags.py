"""Wrong command lines: what is wrong is named, also for programs that read JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from calling import called
from wrong import (
    GOOD,
    Case,
    answered,
    assigned,
    cases,
    in_a_process,
    named_in_plain_lines,
    one_json_object,
)

COMMAND_LINE = (
    Case("unknown-flag", (*GOOD, "--bach", "8"), ("--bach", "--batch")),
    Case("unknown-command", ("estimat", *GOOD[1:]), ("estimat",)),
    Case("flag-without-value", (*GOOD, "--batch"), ("--batch",)),
    Case("surplus-argument", ("estimate", "one", "two"), ("two",)),
    Case("unknown-phase", ("ops", *GOOD[1:], "--phase", "prefil"), ("prefil", "prefill", "decode")),
    Case("set-without-equals", (*GOOD, "--set", "workload.batch"), ("workload.batch", "path=value")),
    Case("set-without-path", (*GOOD, "--set", "=5"), ("=5", "path=value")),
    assigned("workload.bach", "8", "bach", near="batch"),
    assigned("wrkload.batch", "8", "wrkload", path=None, near="workload"),
    assigned("hardware.tiers.hbm.bandwith", '"4 TB/s"', "bandwith", near="bandwidth"),
    assigned("workload.batch", "eight"),
    assigned("workload.batch.size", "8", "batch", path="workload.batch"),
    assigned("workload", "3"),
    assigned("model", "3"),
    assigned("hardware.tiers.hbm", "3"),
    assigned("hardware.tiers.hbm.kind", "banana", "banana", "main"),
    assigned("hardware.engines.matrix.peaks.fp7", '"1 TFLOP/s"', "fp7", path=None, near="fp8"),
    assigned("hardware.tiers.hbm.bandwidth", "null", "bandwidth", path="hardware.tiers"),
    assigned("model.attention", "null", "attention"),
    assigned("model.attention.heads", "31", "8", "31", path="model.attention.kv_heads"),
    Case("memory-command", ("memory", *GOOD[1:], "--batch", "zero"), ("zero",), path="workload.batch"),
    Case("ops-command", ("ops", *GOOD[1:], "--batch", "zero"), ("zero",), path="workload.batch"),
)


@cases(*COMMAND_LINE)
def test_wrong_input_is_named_in_a_few_plain_lines(case: Case, empty: Path) -> None:
    named_in_plain_lines(case, empty)


@cases(*COMMAND_LINE)
def test_wrong_input_is_one_json_object_for_programs(case: Case, empty: Path) -> None:
    one_json_object(case, empty)


@cases(
    Case("flags", GOOD),
    Case("set", (*GOOD, "--set", 'hardware.tiers.hbm.bandwidth="4 TB/s"')),
)
def test_the_right_input_beside_the_wrong_one_is_answered(case: Case, empty: Path) -> None:
    answered(case, empty)


@pytest.mark.usefixtures("empty")
def test_a_real_process_answers_as_the_command_line_in_this_process_does() -> None:
    for more in ([], ["--json"]):
        arguments = [*GOOD, "--hardware", "h100-smx", "--batch", "nan", *more]
        alone, here = in_a_process(*arguments), called(*arguments)
        assert (alone.returncode, alone.stdout, alone.stderr) == (here.returncode, here.stdout, here.stderr)
