"""Engines that data sets name, as engine descriptors of the catalog."""

from __future__ import annotations

import re

GENERIC = "generic"
"""What stands for an engine without a descriptor of its own."""
SERVING = (
    (r"tensorrt-llm \(static batch", r"", "tensorrt-llm-2023"),
    (r"^tensorrt-llm$", r"llm-inference-bench", "tensorrt-llm-2024"),
    (r"tensorrt-llm", r"", "tensorrt-llm"),
    (r"vllm", r"llm-inference-bench|premai|v0\.[2-6]\.|2024-", "vllm-2024"),
    (r"vllm", r"", "vllm"),
    (r"habana", r"", "optimum-habana"),
    (r"neuronx", r"", "transformers-neuronx"),
    (r"gpt-fast", r"", "gpt-fast"),
    (r"sglang|deepseek-internal", r"", "sglang"),
    (r"llama\.cpp", r"", "llama.cpp-cuda-2024"),
    (r"exllama", r"", "exllamav2"),
    (r"^deepspeed", r"", "deepspeed-inference"),
    (r"transformers", r"", "hf-transformers"),
)
"""Engines of published rows (a pattern in lower case), and what their source or version must say besides."""


def serving(name: str, version: str, source: str) -> str:
    """The engine of a published serving row."""
    engine, said = name.lower(), f"{source} {version}".lower()
    for pattern, besides, found in SERVING:
        if re.search(pattern, engine) and re.search(besides, said):
            return found
    return GENERIC


EDGE = (
    (r"autoawq cpu", "ipex"),
    (r"autoawq", "autoawq"),
    (r"tinychat baseline|fp16 baseline|hf transformers", "hf-transformers"),
    (r"tinychat", "tinychat"),
    (r"exllama", "exllamav2"),
    (r"tensorrt edge", "tensorrt-edge-llm"),
    (r"tensorrt", "tensorrt-llm"),
    (r"^mlc", "mlc-llm"),
    (r"^mlx", "mlx"),
    (r"zero-inference", "zero-inference"),
    (r"flexgen|flexllmgen", "flexgen"),
    (r"accelerate", "hf-accelerate"),
    (r"vllm bf16", "vllm-2024"),
    (r"vllm", "vllm"),
    (r"executorch", "executorch"),
)
"""Backends of consumer hardware (a pattern in lower case) and their engines; llama.cpp is told apart by device."""

APPLE = r"apple|\bm[1-5]\b|mac |iphone"
VULKAN = r"\barc\b|\bamd\b|radeon|\brx \d{4}|\bw7\d00\b|framework"
"""Graphics of AMD and Intel; ROCm compiles the CUDA backend."""
OLD = r"gpu-benchmarks-on-llm-inference|llama\.cpp (pull|pr|issue)|gist andrew"
"""Sources of before mid 2024: no fused attention, prompts of quantized models on cuBLAS, older Metal kernels."""


def edge(backend: str, hardware: str, used: str, source: str) -> tuple[str, str]:
    """The family that a row of consumer hardware belongs to, and the engine that stands for it."""
    text = backend.lower()
    if re.search(r"llama\.cpp|llamacpp|ollama", text):
        family = f"llama.cpp-{_device(text, hardware.lower(), used.lower())}"
        old = family in ("llama.cpp-cuda", "llama.cpp-metal") and re.search(OLD, source.lower())
        return family, f"{family}-2024" if old else family
    for pattern, engine in EDGE:
        if re.search(pattern, text):
            return engine, engine
    return text.split()[0], GENERIC


def _device(backend: str, hardware: str, used: str) -> str:
    if "cpu" in backend or used == "cpu" or re.search(r"\bcpu$|cpu \d+gb$", hardware):
        return "cpu"
    if "vulkan" in backend or (re.search(VULKAN, hardware) and not re.search(r"cuda|rocm|hip\b", backend)):
        return "vulkan"
    return "metal" if "metal" in backend or re.search(APPLE, hardware) else "cuda"
