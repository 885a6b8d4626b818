"""Files that are written: links stay links, devices and pipes are written through, and kills leave nothing for long."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmperf.files import store

CHECK = "model: gpt2\nhardware: l40s\nexpect: {fits: true}\n"
REPORT = ("report", "--model", "gpt2", "--hardware", "l40s", "--force", "-o")


@pytest.fixture
def checked(tmp_path: Path, run: Callable[..., Any]) -> Callable[[Path], Any]:
    """`llmperf check` with a report in a file."""

    def call(file: Path) -> Any:
        (tmp_path / "one.llmperf.yaml").write_text(CHECK)
        return run("check", str(tmp_path / "one.llmperf.yaml"), "--format", f"json:{file}")

    return call


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path, checked: Callable[[Path], Any]) -> None:
    inside, link = tmp_path / "inside", tmp_path / "link.json"
    inside.mkdir()
    link.symlink_to(inside / "real.json")
    for _ in range(2):  # once where it leads to nothing yet
        assert checked(link).returncode == 0
        assert link.is_symlink()
        assert (inside / "real.json").read_text().startswith("{")
        (inside / "real.json").chmod(0o600)
    assert stat.S_IMODE((inside / "real.json").stat().st_mode) == 0o600
    assert [path.name for path in inside.iterdir()] == ["real.json"]


def test_a_link_to_itself_is_one_error(tmp_path: Path, checked: Callable[[Path], Any]) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(link)
    done = checked(link)
    assert done.returncode == 2
    assert done.stderr == f"error: {link}: cannot be written: Too many levels of symbolic links\n"


@pytest.mark.parametrize("page", [False, True])
def test_a_pipe_is_written_through(
    page: bool, tmp_path: Path, checked: Callable[[Path], Any], run: Callable[..., Any]
) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    done = run(*REPORT, str(pipe)) if page else checked(pipe)
    reader.join(timeout=60)
    assert done.returncode == 0
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert read[0].startswith(b"<!" if page else b"{")


def test_a_device_stays_one(tmp_path: Path, checked: Callable[[Path], Any]) -> None:
    before = os.stat("/dev/full")  # noqa: PTH116 (beside the comparison below)
    link = tmp_path / "node"
    link.symlink_to("/dev/full")
    for file in (Path("/dev/full"), link):
        done = checked(file)
        assert done.stderr == f"error: {file}: cannot be written: No space left on device\n"
    assert os.path.samestat(before, os.stat("/dev/full"))  # noqa: PTH116
    assert checked(Path(os.devnull)).returncode == 0
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_the_file_that_the_output_goes_to_is_not_replaced_below_it(tmp_path: Path, process: Callable[..., Any]) -> None:
    (tmp_path / "one.llmperf.yaml").write_text(CHECK)
    done = process("check", "one.llmperf.yaml", "--format", "json:/dev/stdout", "--format", "text", cwd=tmp_path)
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("1 passed\n")


def test_what_a_killed_process_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    mine, others, young = (tmp_path / f"{name}.llmperf.part" for name in ("out.jsonxyz", "other", "out.json123"))
    for path in (mine, others, young):
        path.write_text("half")
    for path in (mine, others):
        os.utime(path, (0, 0))
    store.write_atomically(file, "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "other.llmperf.part",
        "out.json",
        "out.json123.llmperf.part",
    ]


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / ("é" * 125 + ".json")
    store.write_atomically(file, "whole")
    assert file.read_text() == "whole"
