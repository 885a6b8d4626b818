from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from calling import SECONDS, called

ROOT = Path(__file__).resolve().parents[1]

collect_ignore = ["data"]  # its check files are read by tests, and are none

settings.register_profile(
    "llmperf", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("llmperf")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Parsed files go to a directory of the tests, not to the user's."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("COLUMNS", None)  # of the terminal that the tests run in, or of their workers
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line by its real entry point, in this process."""
    return called


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The installed command line, in a process of its own: for what only a process shows."""

    def call(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        command = Path(sys.executable).with_name("llmperf")
        start = [str(command)] if command.exists() else [sys.executable, "-c", _MAIN]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run(
            [*start, *arguments], capture_output=True, text=True, timeout=SECONDS, env=env, cwd=cwd, check=False
        )

    return call


_MAIN = "import sys\nfrom llmperf.interfaces.cli import main\nsys.argv[0] = 'llmperf'\nmain()"


@pytest.fixture
def answer(run: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., dict[str, Any]]:
    """The JSON of a command that succeeds."""

    def call(*arguments: str, **keywords: Any) -> dict[str, Any]:
        done = run(*arguments, "--json", **keywords)
        assert done.returncode == 0, done.stderr
        data: dict[str, Any] = json.loads(done.stdout, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
        return data

    return call


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no catalog of the machine's user."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("LLMPERF_CATALOG", raising=False)
    return here
