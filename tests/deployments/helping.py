"""Deployment files to read, and what is asked of those that were read."""

from __future__ import annotations

import textwrap
from pathlib import Path

from llmperf.deployments import Deployment, read

DATA = Path(__file__).parents[1] / "data/deployments"
H100 = "h100-sxm"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def served(folder: Path, arguments: str, model: str = "llama-3.1-8b") -> Deployment:
    return read(written(folder, "run.sh", f"vllm serve {model} {arguments}\n"))[0]


def kinds(deployment: Deployment) -> dict[str, str]:
    return {finding.name: finding.kind for finding in deployment.findings}
