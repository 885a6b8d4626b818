"""Scaffolds of descriptors: a file to start from, that is valid as it is."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llmperf.errors import InputError, Problem, nearest
from llmperf.files.store import write_atomically

if TYPE_CHECKING:
    from llmperf.answers.answer import Answer

SCAFFOLDS = {
    "model": """\
# A model. `llmperf schema model` lists every key; `llmperf show NAME` shows one that exists.
family: llama
layers: 32
hidden: 4096
vocab: 128256
max_context: 131072
ffn: 14336                       # inner width of the feed-forward network
gated_mlp: true                  # gate, up and down; false: up and down
tied_embeddings: false
attention: {heads: 32, kv_heads: 8, head_dim: 128}
# moe: {experts: 8, top_k: 2, expert_ffn: 14336}
# mla: {kv_lora_rank: 512, q_lora_rank: 1536, qk_nope_head_dim: 128, qk_rope_head_dim: 64, v_head_dim: 128}
# official: {parameters: 8030261248, exact: true, source: the vendor's model card}
sources:
  all: where these numbers are from
""",
    "hardware": """\
# A chip. `llmperf schema hardware` lists every key; or write `extends: h100-sxm` and only what differs.
kind: gpu
vendor: ours
engines:
  matrix: {kind: matrix, peaks: {bf16: 500 TFLOP/s, fp8: 1000 TFLOP/s}}    # dense
  vector: {kind: vector, peaks: {fp32: 40 TFLOP/s}}
tiers:
  l2: {kind: cache, capacity: 50 MiB}
  hbm: {kind: main, capacity: 96 GiB, bandwidth: 3 TB/s}
links:                                                                     # one direction of one device
  fabric: {kind: scale_up, bandwidth: 300 GB/s, domain: 8}
  network: {extends: infiniband-ndr}
  pcie: {extends: pcie5-x16}
achieved: gpu-datacenter                                                   # efficiencies of its class
tdp: 600 W
sources:                                                                   # every number has one
  all: where these numbers are from
""",
    "scenario": """\
# A scenario: `llmperf estimate FILE`. `llmperf schema scenario` lists every key.
model: llama-3.1-70b
hardware: h100-sxm
weights: fp8
kv_cache: bf16
parallelism: {tp: 8}
workload: {batch: 32, input: 2048, output: 256}
""",
}
"""Kind -> a valid document with what one usually changes."""

ROOM = 0.10
"""Room of a scaffolded limit over today's value. [1]"""
PROMISED = ("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s")
"""Outputs that a scaffolded check limits."""


def scaffold(kind: str, path: Path, force: bool = False) -> Path:
    """Write a scaffold.

    Parameters
    ----------
    kind : str
        ``model``, ``hardware`` or ``scenario``.
    path : Path
        The file; its stem becomes the name.
    force : bool
        Whether a file that exists may be replaced.

    Raises
    ------
    InputError
        If there is no such kind, the file exists, or it cannot be written.
    """
    if kind not in SCAFFOLDS:
        text = f"there is no scaffold of {kind!r}"
        allowed = (*SCAFFOLDS, "check")
        raise InputError(Problem(text, "kind", allowed=allowed, suggestion=nearest(kind, allowed)))
    return written(path, SCAFFOLDS[kind], force)


def check_scaffold(scenario: str, path: Path | None = None, force: bool = False, extra: tuple[str, ...] = ()) -> Path:
    """Write a check of a scenario: today's values with room, as limits.

    Parameters
    ----------
    scenario : str
        The name or file of a scenario.
    path : Path, optional
        The file; by default beside the scenario, or here where the scenario is one of the catalog.
    force : bool
        Whether a file that exists may be replaced.
    extra : tuple of str
        Catalog directories that go before all others.

    Raises
    ------
    InputError
        If the scenario is wrong, does not fit, or the file exists or cannot be written.
    """
    from llmperf.checks.lock import scalar
    from llmperf.files.store import is_path
    from llmperf.interfaces.api import estimate

    result = estimate(scenario, catalog=extra)
    if not result.memory.fits:
        raise InputError(Problem("does not fit: there is nothing to promise", file=scenario))
    source = Path(scenario)
    path = path or (source.parent if is_path(scenario) else Path()) / f"{source.stem}.llmperf.yaml"
    base = os.path.relpath(source, path.parent) if is_path(scenario) else scenario
    lines = [
        f"# What a sizing promises: values of today with room of {ROOM:.0%}. `llmperf check {path.name}` evaluates it.",
        f"extends: {scalar(Path(base).as_posix() if is_path(scenario) else base)}",
        "expect:",
        "  fits: true",
        *(f"  {f'{name}: {limit}':<48}# {today} today" for name, limit, today in _promises(result)),
    ]
    return written(path, "\n".join(lines) + "\n", force)


def _promises(result: Answer) -> Iterator[tuple[str, str, str]]:
    """Outputs with a limit that leaves room, and their value today."""
    from llmperf import units
    from llmperf.outputs import by_path
    from llmperf.words.quantities import said

    outputs = by_path()
    headroom = float(result.memory.kv_headroom)
    if headroom > 0:
        kept = min(0.10, 0.5 * headroom)
        yield "kv_headroom", f"{{min: {100 * kept:.2g} %}}", said(outputs["kv_headroom"], headroom)
    for name in PROMISED:
        today = float(getattr(result, name))
        if not math.isfinite(today):
            continue
        if outputs[name].better == "lower":
            limit = f"{{max: {units.scaled((1 + ROOM) * today, 'time', 3)}}}"
        else:
            limit = f"{{min: {float(f'{today / (1 + ROOM):.3g}'):g} tokens/s}}"
        yield name, limit, said(outputs[name], today)


def written(path: Path, text: str, force: bool) -> Path:
    """Write a YAML file whole; one that exists is replaced with `force` alone.

    Raises
    ------
    InputError
        If it does not end in .yaml, exists, or cannot be written.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(Problem("must end in .yaml", file=str(path)))
    if path.exists() and not force:
        raise InputError(Problem("exists already", file=str(path), suggestion="--force replaces it"))
    try:
        write_atomically(path, text)
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None
    return path
