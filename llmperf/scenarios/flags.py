"""Flags of the keys of a scenario; without imports, since every command asks for them."""

from __future__ import annotations

FLAGS = {
    "request_rate": "rate",
    "traffic.input.cv": "input-cv",
    "traffic.output.cv": "output-cv",
}
"""Keywords and paths whose flag has another name than they."""


def flag(key: str) -> str:
    """The flag of a keyword: ``--kv-cache`` of ``kv_cache``."""
    return f"--{FLAGS.get(key) or key.replace('_', '-')}"
