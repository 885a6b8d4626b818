"""Configurations of models in the local Hugging Face cache; nothing here reaches the network unless told to."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem, shown

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_REVISION = re.compile(r"[0-9a-fA-F]{40}")
_MOST_REVISION = 200
"""Bytes of ``refs/main`` that are read; a revision has 40."""


def is_model_id(text: str) -> bool:
    """Whether `text` may be the id of a model: ``name`` or ``organization/name``."""
    return _ID.fullmatch(text) is not None and ".." not in text and "--" not in text


def cache() -> Path:
    """Folder of the local Hugging Face cache, as huggingface_hub finds it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(variable):
            return Path(value)
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home) / "hub"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "huggingface" / "hub"


def local_config(repo_id: str) -> Path | None:
    """The config.json of a model in the local cache; None where there is none.

    Parameters
    ----------
    repo_id : str
        ``organization/name``.
    """
    if not is_model_id(repo_id):
        return None
    try:
        folder = cache() / ("models--" + repo_id.replace("/", "--"))
        revision = _revision(folder / "refs" / "main")
        if revision is None:
            return None
        config = folder / "snapshots" / revision / "config.json"
        # The cache links snapshots to blobs beside them; a link that leaves the model's folder is not the cache's.
        inside = config.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
        return config if inside and config.is_file() else None
    except (OSError, RuntimeError, ValueError):  # unreadable, a loop of links, no home, a null byte in a variable
        return None


def _revision(reference: Path) -> str | None:
    """The commit that a reference names."""
    if not reference.is_file():
        return None
    with reference.open("rb") as stream:
        text = stream.read(_MOST_REVISION).decode("ascii", "replace").strip()
    return text if _REVISION.fullmatch(text) else None


def download_config(repo_id: str) -> Path:
    """The config.json of a model, fetched from the Hugging Face hub into the local cache.

    Raises
    ------
    InputError
        If huggingface_hub is not installed, or the hub does not give the file.
    """
    if not is_model_id(repo_id):
        raise InputError(Problem(f"{shown(repo_id)} is not the id of a model", allowed=("organization/name",)))
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        hint = "pip install huggingface_hub"
        raise InputError(Problem(f"fetching {repo_id} needs huggingface_hub", suggestion=hint)) from None
    try:
        return Path(hub.hf_hub_download(repo_id, "config.json"))
    except Exception as error:  # whatever network, hub or disk raise: the user can only be told
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(Problem(f"{repo_id} cannot be fetched: {said}")) from None
