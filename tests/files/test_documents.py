"""What is written for people is true: the README's output is real, links lead somewhere, examples run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import llmperf
from llmperf.scenarios import catalog

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("command", "output"), re.findall(r"```\n(?:\$ make demo\n)?\$ llmperf (.*?)\n(.*?)```", README, re.DOTALL)
)
def test_the_output_in_the_readme_is_what_the_command_prints(
    command: str, output: str, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    shown = run(*shlex.split(command)).stdout
    assert [line.rstrip() for line in shown.splitlines()] == output.splitlines()


def test_the_first_screen_of_the_readme_is_a_size() -> None:
    assert re.search(r"\$ llmperf (\w+)", README)[1] == "size"  # type: ignore[index]


def test_the_demo_of_the_makefile_is_the_one_of_the_readme() -> None:
    demo = re.search(r"llmperf (size --model .*)", (ROOT / "Makefile").read_text())
    assert demo is not None
    assert f"$ llmperf {demo.group(1)}" in README


@pytest.mark.parametrize("line", re.findall(r"^llmperf (\w+ .*?) *#", README, re.MULTILINE))
def test_every_command_of_the_readme_runs(
    line: str, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "config.json").write_text((ROOT / "tests/data/huggingface/Llama-3.1-8B.json").read_text())
    shutil.copytree(ROOT / "examples" / "checks", tmp_path / "examples" / "checks")
    shutil.copy(ROOT / "tests/data/traces/mooncake.jsonl", tmp_path / "trace.jsonl")
    done = run(*shlex.split(line), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_runs() -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(code.group(1), names)
    assert names["grid"].tpot_s.shape == (256, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        generated = target.startswith(("catalog/", "reference/"))  # checked where the site is built
        assert generated or "://" in target or (document.parent / target).exists(), target


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_every_example_runs(example: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", sorted(catalog.files("scenario")))
def test_every_scenario_of_the_catalog_is_answered(name: str) -> None:
    result = llmperf.estimate(name)
    assert result.fits
    assert result.scenario.description


def test_public_functions_say_shapes_units_and_errors() -> None:
    """Every public function of the costs has a numpydoc section for what it returns, with a unit in brackets."""
    import importlib
    import inspect
    import pkgutil

    import llmperf.costs

    for module in pkgutil.iter_modules(llmperf.costs.__path__, "llmperf.costs."):
        loaded = importlib.import_module(module.name)
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            if function.__module__ != module.name or name.startswith("_"):
                continue
            assert function.__doc__, name
            assert re.search(r"\[[^\]]+\]|Returns|Raises", function.__doc__) or function.__doc__.count("\n") == 0, name


def test_the_change_is_in_the_changelog() -> None:
    assert f"## {llmperf.__version__}" in (ROOT / "CHANGELOG.md").read_text()
