"""The scenarios whose answers are recorded: every mechanism of the model at least once."""

from __future__ import annotations

from typing import Any

DENSE = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 8, "input": 1024, "output": 128}
"""What most scenarios are a change of."""

SCENARIOS: dict[str, dict[str, Any]] = {
    "dense": DENSE,
    "dense-fp8-tp8": {
        "model": "llama-3.1-70b",
        "hardware": "h100-sxm",
        "weights": "fp8",
        "tp": 8,
        "batch": 32,
        "input": 2048,
        "output": 256,
    },
    "pipeline": {**DENSE, "model": "llama-2-70b", "tp": 4, "pp": 4, "batch": 64},
    "pipeline-two-stages": {**DENSE, "pp": 2, "batch": 7},
    "replicas": {**DENSE, "replicas": 3, "dp": 2, "batch": 17},
    "context-parallel": {**DENSE, "cp": 4, "input": 32768, "kv_cache": "fp8"},
    "shared-prefix": {**DENSE, "shared_prefix": 512, "engine": "vllm", "attention": "hydragen", "batch": 64},
    "int4-weight-only": {**DENSE, "hardware": "a100-sxm-80gb", "weights": "w4a16-g128"},
    "no-engine-for-the-format": {**DENSE, "hardware": "a100-sxm-80gb", "weights": "fp8"},
    "does-not-fit": {**DENSE, "model": "llama-3.1-405b", "batch": 4},
    "one-token": {**DENSE, "output": 1},
    "maximize-batch": {"model": "llama-2-13b", "hardware": "l40s", "maximize": "batch", "weights": "w8a8-int8"},
    "maximize-context": {**DENSE, "maximize": "context", "batch": 2},
    "maximize-throughput": {**DENSE, "maximize": "throughput"},
    "windows": {"model": "gemma-2-9b", "hardware": "h200-sxm", "batch": 16, "input": 6000, "output": 500},
    "chunked-attention": {"model": "llama-4-scout", "hardware": "b200-sxm", "tp": 4, "batch": 8, "input": 16384},
    "experts": {"model": "mixtral-8x7b", "hardware": "a100-sxm-80gb", "tp": 2, "batch": 16},
    "experts-parallel": {
        "model": "deepseek-v3",
        "hardware": "h200-sxm",
        "weights": "fp8-block",
        "tp": 1,
        "dp": 8,
        "ep": 8,
        "batch": 128,
        "engine": "sglang",
    },
    "experts-two-nodes": {"model": "deepseek-v3", "hardware": "h100-sxm", "tp": 16, "ep": 16, "batch": 64},
    "sparse-latent-attention": {"model": "deepseek-v3.2", "hardware": "b200-sxm", "tp": 8, "batch": 4, "input": 60000},
    "mxfp4-experts": {"model": "gpt-oss-120b", "hardware": "h100-sxm", "weights": "mxfp4", "tp": 2, "engine": "vllm"},
    "residual-experts": {"model": "arctic-480b", "hardware": "h200-sxm", "tp": 8, "batch": 2},
    "state-space": {"model": "mamba2-2.7b", "hardware": "a100-sxm-80gb", "batch": 32, "input": 1900},
    "hybrid": {"model": "jamba-v0.1", "hardware": "h100-sxm", "tp": 2, "batch": 4, "input": 20000},
    "encoder-decoder": {"model": "t5-11b", "hardware": "a100-sxm-80gb", "batch": 8, "input": 512, "output": 64},
    "speech": {"model": "whisper-large-v2", "hardware": "a10", "batch": 4, "input": 100, "output": 200},
    "vision": {"model": "vit-l-16", "hardware": "l4", "batch": 64, "input": 197, "output": 1},
    "bits-by-mechanism": {**DENSE, "kv_cache": "kivi-2bit", "model": "llama-2-7b", "batch": 48},
    "evicted": {**DENSE, "model": "opt-6.7b", "kv_cache": "h2o-20", "hardware": "t4"},
    "retrieved": {**DENSE, "kv_cache": "shadowkv-2k", "hardware": "gh200-node", "input": 100000, "batch": 4},
    "offloaded": {**DENSE, "model": "opt-30b", "hardware": "t4-gcp", "engine": "flexgen", "tiers": ["gddr", "dram"]},
    "cxl-direct": {**DENSE, "hardware": "cxl-xeon", "batch": 2, "input": 512},
    "cpu": {**DENSE, "hardware": "xeon-8480-plus", "engine": "ipex", "batch": 2},
    "edge-gguf": {**DENSE, "hardware": "m2-max", "weights": "q4_k", "engine": "llama.cpp-metal", "batch": 1},
    "phone": {"model": "qwen2-1.5b", "hardware": "snapdragon-8-gen-3", "weights": "q4_0", "batch": 1, "input": 256},
    "pim": {**DENSE, "model": "gpt3-13b", "hardware": "neupims", "batch": 64, "input": 256, "output": 64},
    "fpga": {"model": "llama-2-7b", "hardware": "alveo-u280", "weights": "w8a8-int8", "batch": 1, "input": 128},
    "tpu": {**DENSE, "hardware": "tpu-v5e-pod", "tp": 8, "weights": "w8a8-int8"},
    "amd-vllm": {**DENSE, "model": "llama-3.1-70b", "hardware": "hgx-mi300x", "tp": 8, "engine": "vllm-2024"},
    "eager": {**DENSE, "engine": "hf-transformers", "attention": "unfused", "hardware": "v100-sxm-32gb"},
    "look-ups": {**DENSE, "weights": "tmac-w2", "hardware": "m2-ultra", "batch": 1, "engine": "llama.cpp-cpu"},
    "sparse": {**DENSE, "weights": "fp8-2-4"},
    "too-many-devices": {"model": "deepseek-v3", "hardware": "dgx-h100", "tp": 16},
}
"""Name -> keywords of `llmperf.estimate`."""
