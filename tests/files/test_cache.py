"""The cache saves time and is never believed: what somebody edited, cut or put there changes no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmperf.files import store

HARDWARE = "extends: l40s\ntiers: {gddr6: {bandwidth: 800 GB/s}}\n"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "edited": lambda content: content.replace(b"800 GB/s", b"900 GB/s").replace(b"l40s", b"h200"),
    "null": lambda content: content.partition(b"\n")[0] + b"\nnull\n{}\n{}",
    "no-data": lambda content: content.partition(b"\n")[0] + b'\n{"data": null}',
    "remembered-nothing": lambda _: b'{"remembered": null}',
    "infinite-lines": lambda content: content.rpartition(b"\n")[0] + b'\n{"": Infinity}',
    "cut": lambda content: content[:-3],
    "empty": lambda _: b"",
    "binary": lambda content: b"\xff\x00" + content,
}


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """An empty cache, and a function after which nothing is in memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store._load_file.cache_clear()
    return store._load_file.cache_clear


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_parsed_file_that_was_changed_is_parsed_anew(
    damage: str, tmp_path: Path, forgetful: Callable[[], None]
) -> None:
    file = tmp_path / "hw.yaml"
    file.write_text(HARDWARE)
    store.load_file(str(file))
    (cached,) = (tmp_path / "cache" / "llmperf").glob("*.parsed")
    whole = cached.read_bytes()
    assert DAMAGES[damage](whole) != whole
    cached.write_bytes(DAMAGES[damage](whole))
    forgetful()
    found = store.load_file(str(file))
    assert found.data == {"extends": "l40s", "tiers": {"gddr6": {"bandwidth": "800 GB/s"}}}
    assert found.line("tiers.gddr6") == 2
    assert cached.read_bytes() == whole


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"infinite-lines"}))
def test_what_was_remembered_and_changed_is_computed_anew(
    damage: str, tmp_path: Path, forgetful: Callable[[], None]
) -> None:
    def value() -> Any:
        return store.remembered("a test", [str(tmp_path)], lambda: {"gddr6": "800 GB/s"})

    forgetful()
    value()
    (cached,) = (tmp_path / "cache" / "llmperf").glob("*.json")
    cached.write_bytes(DAMAGES[damage](cached.read_bytes()))
    assert value() == {"gddr6": "800 GB/s"}


def test_a_cache_that_is_wholly_wrong_changes_no_command(tmp_path: Path, process: Callable[..., Any]) -> None:
    command = ("estimate", "--model", "gpt2", "--hardware", "l40s", "--json")
    first = process(*command, XDG_CACHE_HOME=str(tmp_path))
    for cached in (tmp_path / "llmperf").iterdir():
        cached.write_bytes(b"0" * 64 + b"\n" + json.dumps({"data": None, "remembered": None}).encode())
    again = process(*command, XDG_CACHE_HOME=str(tmp_path))
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
