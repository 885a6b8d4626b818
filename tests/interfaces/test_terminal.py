"""What a terminal shows: it fits, it is plain where that is asked for, foreign text does no harm, and it explains."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from rich.cells import cell_len

from llmperf.interfaces.cli import COMMANDS
from llmperf.interfaces.console import style
from llmperf.interfaces.console.progress import bar

Run = Callable[..., CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
ROOT = Path(__file__).resolve().parents[2]
DEMO = "--model llama-3.1-70b --weights fp8 --hardware h100-sxm --tp 8 --batch 32 --input 2048 --output 256"
SHOWN = {
    "estimate": f"estimate {DEMO}",
    "estimate-too-large": "estimate --model llama-3.1-405b --hardware h100-sxm --tp 8",
    "explain": f"estimate {DEMO} --explain",
    "ops": "ops --model deepseek-v3.2 --hardware dgx-h200 --weights fp8 --tp 8 --input 60000",
    "memory": "memory --model llama-3.1-70b --hardware h100-sxm --tp 8 --pp 2",
    "compare": "compare --model llama-2-7b --hardware a100-sxm-80gb --batch 32 --with kv_cache=int4 --with weights=fp8",
    "compare-measured": f"compare --measured {ROOT}/tests/data/runs/vllm-serve.json --hardware h100-sxm",
    "roofline": "roofline --model llama-3.1-8b --hardware h100-sxm --with hardware=a100-sxm-80gb",
    "list": "list",
    "list-missing": "list --missing",
    "show": "show h100-sxm",
    "schema": "schema outputs",
    "bench": "bench --dry-run --device cpu",
    "validate": f"validate --claims {ROOT}/workloads/published/kivi.yaml",
}


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("name", SHOWN)
def test_every_command_fits_the_width_and_is_clean_when_piped(name: str, columns: int, run: Run) -> None:
    shown = run(*shlex.split(SHOWN[name]), COLUMNS=str(columns))
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert "\x1b" not in shown.stdout
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize("name", SHOWN)
def test_plain_is_ascii_alone(name: str, run: Run) -> None:
    shown = run(*shlex.split(SHOWN[name]), "--plain", FORCE_COLOR="1")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.isascii()
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_can_be_plain(command: str, run: Run) -> None:
    assert "--plain" in run(command, "--help", COLUMNS="200", NO_COLOR="1").stdout


def test_an_output_that_takes_ascii_alone_gets_no_more(process: Run) -> None:
    shown = process(*shlex.split(SHOWN["roofline"]), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert shown.returncode == 0
    assert shown.stdout.isascii()


def _on_a_terminal(arguments: list[str], **environment: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    code = "import sys; sys.argv[0] = 'llmperf'; from llmperf.interfaces.cli import main; main()"
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM", "COLUMNS")}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert done.wait() == 0
    return b"".join(parts).decode()


def test_colour_is_for_terminals_that_want_it() -> None:
    arguments = shlex.split(SHOWN["roofline"])
    coloured = r"\x1b\[[0-9;]*3[0-9]m"
    assert re.search(coloured, _on_a_terminal(arguments))
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in _on_a_terminal(arguments, **environment)
    assert "\x1b" not in _on_a_terminal([*arguments, "--plain"])


def test_colour_is_not_the_only_signal() -> None:
    """Without colours, each chip's lines still differ and are named."""
    shown = _on_a_terminal(shlex.split(SHOWN["roofline"]), NO_COLOR="1")
    assert "(whole lines)" in shown
    assert "(dashed lines)" in shown


def test_names_are_whole_on_a_narrow_terminal(run: Run) -> None:
    for name in ("ops", "estimate", "roofline", "compare-measured"):
        arguments = shlex.split(SHOWN[name])
        shown = run(*arguments, COLUMNS="80").stdout
        words = {"ops": ["moe_gate_up", "tp_all_reduce"], "compare-measured": ["output_tokens_per_s"]}
        for word in words.get(name, ["gate_up", "compute.matrix"]):
            assert word in shown


@pytest.mark.parametrize("name", ["模型-测试", "ﾓﾃﾞﾙ", "модель"])
def test_wide_characters_keep_columns_in_line(name: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base.yaml").write_text(f"extends: llama-3.1-8b\nname: {name}\naliases: []\n", "utf-8")
    shown = run("list", "model", "--catalog", str(tmp_path), PYTHONIOENCODING="utf-8").stdout
    assert max(map(cell_len, shown.splitlines())) <= 100
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(f"model: {{extends: llama-3.1-8b, name: {name}}}\nhardware: h100-sxm\n", "utf-8")
    for extra in ((), ("--explain",)):
        shown = run("estimate", str(scenario), *extra, PYTHONIOENCODING="utf-8").stdout
        assert name in shown
        assert max(map(cell_len, shown.splitlines())) <= 100


def test_control_characters_and_markup_of_names_are_shown_as_text() -> None:
    assert style.text("\x1b[31mred\x07") == r"\x1b[31mred\x07"
    assert style.text("\u202eevil") == r"\u202eevil"
    shown = StringIO()
    style.Console(shown, 80, colours=True).print(style.text("[bold]x[/bold] :smile: 模型"))
    assert shown.getvalue() == "[bold]x[/bold] :smile: 模型\n"


def test_a_hostile_name_reaches_no_terminal(tmp_path: Path, run: Run) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text('model: {extends: llama-3.1-8b, name: "a\\e[2Jb"}\nhardware: h100-sxm\n')
    done = run("estimate", str(scenario))
    assert "\x1b" not in done.stdout + done.stderr


def test_progress_is_shown_to_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    with bar("working") as advance:
        assert advance is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with bar("working", quiet=True) as advance:
        assert advance is None
