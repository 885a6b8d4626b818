"""Files of every reader with parts replaced, removed or moved: an answer or a message, never a traceback or a NaN."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from files.fuzzing import READERS, tried
from hypothesis import given, settings
from hypothesis import strategies as st

from calling import called

EXAMPLES = int(os.environ.get("LLMPERF_FUZZ", "0"))
"""How many of each; without, a few, the same in every run."""


@pytest.mark.parametrize("name", READERS)
def test_a_spoiled_file_is_answered_or_refused(name: str, tmp_path: Path) -> None:
    @settings(max_examples=EXAMPLES or 15, derandomize=not EXAMPLES, database=None)
    @given(st.integers(0, 2**32 - 1))
    def found(seed: int) -> None:
        folder = tmp_path / str(seed)
        folder.mkdir(exist_ok=True)
        assert tried(READERS[name], seed, folder) == []

    found()


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.binary is not None])
def test_what_is_spoiled_was_read_before(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    assert reader.binary is not None
    (tmp_path / reader.file).write_bytes(reader.binary(reader.seeds()[0]))
    if reader.beside is not None:
        reader.beside(tmp_path)
    for command in reader.commands:
        done = called(*(word.format(file=reader.file) for word in command), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
