"""The files of measured kernels: how each is recognized and read, and the closed form of each section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llmperf.costs.machine import Machine, machine_of, pick
from llmperf.descriptors.achieved import COLLECTIVES
from llmperf.evidence.kernels.attention import decode_time, found_again, prefill_time, read_decode, read_prefill
from llmperf.evidence.kernels.base import Kernels, Readings, chip
from llmperf.evidence.kernels.collectives import collective_time, read_collectives
from llmperf.evidence.kernels.experts import moe_time, read_moe
from llmperf.evidence.kernels.products import gemm_time, read_gemm
from llmperf.evidence.kernels.streams import elementwise_time, read_elementwise
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array

FORMS: dict[str, Callable[..., Array]] = {
    "gemm": gemm_time,
    "attention_prefill": prefill_time,
    "attention_decode": decode_time,
    "elementwise": elementwise_time,
    "moe": moe_time,
    **dict.fromkeys(sorted(COLLECTIVES), collective_time),
}
"""Closed form of each section."""
RELIEVED: dict[str, Callable[[Machine, Array], Array]] = {"attention_decode": found_again}
"""Bytes that a repeated run takes from the main memory, where they are others than `Machine.relieved` has it."""
FORMATS: dict[str, tuple[frozenset[str], Callable[[DataTable], Readings]]] = {
    "attention_prefill": (frozenset({"device", "dtype", "kv_dtype", "batch", "q_len", "head_dim"}), read_prefill),
    "attention_decode": (frozenset({"device", "dtype", "kv_dtype", "batch", "kv_len", "head_dim"}), read_decode),
    "moe": (frozenset({"device", "dtype", "num_tokens", "topk", "n_experts"}), read_moe),
    "collectives": (frozenset({"device", "op", "n_ranks", "bytes"}), read_collectives),
    "elementwise": (frozenset({"device", "op", "bytes"}), read_elementwise),
    "gemm": (frozenset({"device", "dtype", "m", "n", "k"}), read_gemm),
}
"""Kernel files: the columns that each is recognized by, the most special first, and its reader."""


def predict(kernels: Kernels, fit: Any, machine: Machine) -> Array:
    """Time of each kernel with given constants. [s]"""
    return predictor([kernels], machine)(fit)


def predictor(parts: Sequence[Kernels], machine: Machine) -> Callable[[Any], Array]:
    """Times of kernels of one section on one device as a function of the constants, all rows side by side. [s]"""
    section, operands = parts[0].section, [part.operands for part in parts if part.operands is not None]
    arguments = {name: np.concatenate([part.arguments[name] for part in parts]) for name in parts[0].arguments}
    if operands:
        size = np.concatenate(operands)
        arguments["memory"] = arguments["memory"] * RELIEVED.get(section, Machine.relieved)(machine, size) / size
    return lambda fit: FORMS[section](fit, machine, **arguments)


def project(kernels: Kernels) -> Array:
    """Time of each kernel with the constants that ship for its chip and implementation. [s]"""
    machine = machine_of(chip(kernels.device))
    known = getattr(machine.hardware.achieved, kernels.section)
    return predict(kernels, pick(known, kernels.scheme, (kernels.kernel,)), machine)
