"""The local Hugging Face cache: a model's config.json is found by its id, and nothing else is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from importers.test_huggingface import config

from llmperf.errors import InputError
from llmperf.importers import hub
from llmperf.importers.huggingface import from_config

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one model, laid out as huggingface_hub does."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--meta-llama--Llama-3.1-8B"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(REVISION)
    (folder / "blobs").mkdir()
    (folder / "blobs" / "abc").write_text(json.dumps(config("Llama-3.1-8B")))
    (folder / "snapshots" / REVISION).mkdir(parents=True)
    (folder / "snapshots" / REVISION / "config.json").symlink_to(Path("../../blobs/abc"))
    return folder


def test_a_cached_model_is_found_by_its_id_and_named_after_it(cached: Path) -> None:
    path = hub.local_config("meta-llama/Llama-3.1-8B")
    assert path == cached / "snapshots" / REVISION / "config.json"
    assert from_config(json.loads(path.read_text()), str(path)).model["name"] == "Llama-3.1-8B"


@pytest.mark.parametrize(
    "name", ["meta-llama/Llama-3", "../etc", "a/b/c", "", "a--b/c", "/", "a/..", "x\0y", "a" * 500]
)
@pytest.mark.usefixtures("cached")
def test_no_other_text_finds_a_file(name: str) -> None:
    assert hub.local_config(name) is None


def test_a_cache_that_leads_elsewhere_or_is_damaged_gives_nothing(cached: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    config_file = cached / "snapshots" / REVISION / "config.json"
    config_file.unlink()
    assert hub.local_config("meta-llama/Llama-3.1-8B") is None
    config_file.symlink_to(tmp_path / "secret.json")
    assert hub.local_config("meta-llama/Llama-3.1-8B") is None
    for reference in ("../../..", "", "main", "x" * 10_000):
        (cached / "refs" / "main").write_text(reference)
        assert hub.local_config("meta-llama/Llama-3.1-8B") is None


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert hub.cache() == Path("~/.cache/huggingface/hub").expanduser()
    monkeypatch.setenv("HF_HOME", "/models")
    assert hub.cache() == Path("/models/hub")


def test_fetching_without_huggingface_hub_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="pip install huggingface_hub"):
        hub.download_config("meta-llama/Llama-3.1-8B")
    with pytest.raises(InputError, match="not the id"):
        hub.download_config("../x")


def test_whatever_the_hub_raises_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise OSError("no\nnetwork")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=fail))
    with pytest.raises(InputError, match="no network"):
        hub.download_config("meta-llama/Llama-3.1-8B")
