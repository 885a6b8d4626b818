"""Scaffolds of descriptors: a file to start from, that is valid as it is."""

from __future__ import annotations

from pathlib import Path

from llmperf.descriptors.catalog import write_atomically
from llmperf.errors import InputError, Problem, nearest

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
        raise InputError(Problem(text, "kind", allowed=tuple(SCAFFOLDS), suggestion=nearest(kind, SCAFFOLDS)))
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(Problem("must end in .yaml", file=str(path)))
    if path.exists() and not force:
        raise InputError(Problem("exists already", file=str(path), suggestion="--force replaces it"))
    try:
        write_atomically(path, SCAFFOLDS[kind])
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None
    return path
