"""What a cold estimate loads: little of the house, and nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = ("--model", "llama-3.1-70b", "--hardware", "dgx-h100", "--weights", "fp8", "--tp", "8", "--batch", "33")

MOST = {"estimate": 131, "estimate --json": 112}
"""Modules of ours that an estimate may load; each costs a cold start about half a millisecond. On a terminal, those of
a closed loop, which is named beside a batch, are among them."""

LISTS = ("list", "list hardware h100")
MOST_OF_A_LIST = 28

HEAVY = ("rich", "plotly", "scipy", "pandas", "hypothesis", "kaleido", "huggingface_hub")
ROOMS = ("importers", "deployments", "checks", "interfaces.figures", "interfaces.report", "interfaces.notebook")


def _loaded(code: str, cache: Path, *arguments: str) -> list[str]:
    """Modules that a fresh process has loaded when its code is done."""
    said = "import json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{said}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)},
    )
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


COMMAND = """
import sys
from importlib.metadata import EntryPoint
try:
    EntryPoint("llmperf", "llmperf.interfaces.cli:main", "console_scripts").load()()
except SystemExit as done:
    assert not done.code, done.code
validation = sys.modules.get("llmperf.descriptors.validation")
assert validation is None or validation._adapter.cache_info().currsize == 0, "a validator was built"
"""
PYTHON = "import llmperf\nllmperf.estimate(model='llama-3.1-70b', hardware='dgx-h100', weights='fp8', tp=8, batch=33)"


@pytest.mark.parametrize("command", MOST)
def test_a_cold_estimate_loads_neither_figures_nor_readers_nor_validators(command: str, tmp_path: Path) -> None:
    loaded = _loaded(COMMAND, tmp_path, *command.split(), *FLAGS)  # nothing is in the cache
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}
    assert not {name for name in loaded if name.startswith(tuple(f"llmperf.{room}" for room in ROOMS))}
    ours = [name for name in loaded if name.split(".")[0] == "llmperf"]
    assert len(ours) <= MOST[command], ours


@pytest.mark.parametrize("command", [*MOST, *LISTS])
def test_what_the_cache_holds_is_not_parsed(command: str, tmp_path: Path) -> None:
    arguments = (*command.split(), *(FLAGS if command in MOST else ()))
    assert "yaml" in _loaded(COMMAND, tmp_path, *arguments)
    loaded = _loaded(COMMAND, tmp_path, *arguments)
    assert "yaml" not in loaded
    if command in LISTS:
        assert not {name for name in loaded if name.split(".")[0] in ("numpy", *HEAVY)}
        ours = [name for name in loaded if name.split(".")[0] == "llmperf"]
        assert len(ours) <= MOST_OF_A_LIST, ours


def test_the_package_alone_loads_next_to_nothing(tmp_path: Path) -> None:
    bare, ours = _loaded("", tmp_path), _loaded("import llmperf", tmp_path)
    assert set(ours) - set(bare) <= {"llmperf", "llmperf.version", "__future__"}


def test_a_plain_estimate_from_python_needs_neither_pydantic_nor_a_terminal(tmp_path: Path) -> None:
    loaded = _loaded(PYTHON, tmp_path)
    assert not {"pydantic", "typer", *HEAVY} & {name.split(".")[0] for name in loaded}
    assert not {name for name in loaded if name.startswith(("llmperf.interfaces.cli", "llmperf.contract"))}
