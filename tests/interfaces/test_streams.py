"""Outputs that are closed, full or no longer read: the exit code is that of the answer, and nothing is a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LLMPERF = (
    f"{sys.executable} -c 'import sys; from llmperf.interfaces.cli import main; sys.argv[0] = \"llmperf\"; main()'"
)
BASE = "model: gpt2\nhardware: l40s\n"
COMMANDS = {
    "list": 0,
    "--help": 0,
    "--version": 0,
    "check holds.llmperf.yaml": 0,
    "check fails.llmperf.yaml": 1,
    "estimate none.yaml": 2,
    "estimate none.yaml --json": 2,
}


def shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of bash; its exit code is that of llmperf."""
    (folder / "holds.llmperf.yaml").write_text(BASE + "expect: {fits: true}\n")
    (folder / "fails.llmperf.yaml").write_text(BASE + "expect: {fits: false}\n")
    command = ["bash", "-c", text.replace("llmperf", LLMPERF, 1) + "; exit ${PIPESTATUS[0]}"]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
        env={**env, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&- <&-", "| true", "2>/dev/full"])
def test_who_reads_the_output_changes_nothing_of_the_exit_code(streams: str, command: str, tmp_path: Path) -> None:
    done = shell(f"llmperf {command} {streams}", tmp_path)
    assert done.returncode == COMMANDS[command], done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("command", ["list", "--help", "check fails.llmperf.yaml", "estimate none.yaml --json"])
def test_an_answer_that_cannot_be_written_is_an_error(command: str, tmp_path: Path) -> None:
    done = shell(f"llmperf {command} >/dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: cannot write the answer: No space left on device\n")


def test_a_long_answer_into_a_pipe_that_closes_early_is_no_failure(tmp_path: Path) -> None:
    done = shell("llmperf list --json | head -c 1", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")
