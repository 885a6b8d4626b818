"""Vision transformers and diffusion transformers as operators: patches in, classes or denoised latents out."""

from __future__ import annotations

from collections.abc import Callable

from llmperf.descriptors.layers import Vision
from llmperf.operators.build import Build


def add(build: Build, layers: Callable[[Build], None]) -> None:
    """All operators of a vision model; `layers` adds those of its stack."""
    part = build.model.vision
    assert part is not None
    hidden, formats, tokens = build.model.hidden, build.formats, build.tokens
    pixels = part.patch**2 * part.input_channels
    build.gemm("patch_embedding", build.once("first"), tokens, hidden, pixels, bias=hidden, kept=True)
    layers(build)
    if part.kind == "vit":
        _classify(build, part)
    else:
        _denoise(build, part)
    build.elementwise(
        "final_norm", build.once("last"), 2.0 * tokens * hidden * formats.hidden, 4.0 * tokens * hidden, _norm(build)
    )


def _norm(build: Build) -> float:
    model = build.model
    weights = model.hidden * (2.0 if model.norm_bias else 1.0) if model.norm_weights else 0.0
    return weights * float(build.formats.kept)


def _classify(build: Build, part: Vision) -> None:
    """Class token, learned positions, and the classifier over it (arXiv:2010.11929, sec. 3.1)."""
    model, step = build.model, build.step
    stored = (part.patches + 2.0) * model.hidden * build.formats.kept
    moved = 2.0 * build.tokens * model.hidden * build.formats.hidden
    build.elementwise("embedding", build.once("first"), moved, resident_bytes=stored)
    classes = model.vocab
    build.gemm("classifier", build.once("last"), step.prompts, classes, model.hidden, bias=classes, kept=True)


def _denoise(build: Build, part: Vision) -> None:
    """Step and label embedding, modulation of every layer by them, and the final layer (arXiv:2212.09748, sec. 3.2)."""
    model, hidden, prompts = build.model, build.model.hidden, build.step.prompts
    first, last = build.once("first"), build.once("last")
    stored = (model.vocab + 1.0 + part.patches) * hidden * build.formats.kept
    moved = 2.0 * build.tokens * hidden * build.formats.hidden
    build.elementwise("embedding", first, moved, resident_bytes=stored)
    build.gemm("step_embedding_1", first, prompts, hidden, part.frequency_width, bias=hidden, kept=True)
    build.gemm("step_embedding_2", first, prompts, hidden, hidden, bias=hidden, kept=True)
    build.gemm("modulation", build.spread(model.layers), prompts, 6.0 * hidden, hidden, bias=6.0 * hidden)
    build.elementwise("modulate", build.spread(model.layers), 6.0 * moved, 6.0 * build.tokens * hidden)
    build.gemm("final_modulation", last, prompts, 2.0 * hidden, hidden, bias=2.0 * hidden, kept=True)
    out = part.patch**2 * (part.output_channels or part.input_channels)
    build.gemm("final", last, build.tokens, out, hidden, bias=out, kept=True)
