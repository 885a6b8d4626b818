"""Measured kernels as the closed forms see them: the arguments of `llmperf.costs`, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs import attention, collectives, elementwise, gemm, moe
from llmperf.costs.machine import Machine, compute_dtype, machine_of, pick
from llmperf.costs.roofline import main_memory_bytes
from llmperf.descriptors.achieved import CollectiveAchieved, variant
from llmperf.errors import MAX_SHOWN, InputError, nearest, shown
from llmperf.evidence.rows import EXPLAINED, unique
from llmperf.evidence.tables import Table
from llmperf.numeric import Array
from llmperf.operators.routing import Load, balanced, power_law
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

BITS = {
    "bf16": 16.0,
    "fp32": 32.0,
    "fp64": 64.0,
    "fp8": 8.0,
    "fp8_block": 8.0,
    "int8": 8.0,
    "fp4": 4.5,
    "w8a16": 8.0,
    "w4a16": 4.125,
    "w4a16_mxfp4": 4.25,
    "w4a8_mxfp4": 4.25,
}
"""Bits of a weight by scheme, shared scales included. [bit]"""
INPUTS = {"fp32": 4.0, "fp64": 8.0, "fp8": 1.0, "fp8_block": 1.0, "int8": 1.0, "fp4": 0.5625, "w4a8_mxfp4": 1.0}
"""Bytes of an input of a linear layer by scheme, 2 where it is not named. [B]"""
PEAKS = {"fp8_block": "fp8", "w4a8_mxfp4": "fp8", "w8a16": "bf16", "w4a16": "bf16", "w4a16_mxfp4": "bf16"}
"""Compute dtype of a scheme where it has another name."""
DTYPES = {
    "bfloat16": "bf16",
    "fp16": "bf16",
    "float16": "bf16",
    "float32": "fp32",
    "nvfp4": "fp4",
    "int4_wo": "w4a16",
    "int8_wo": "w8a16",
    "sq": "int8",
    "w4a8_mxfp4_mxfp8": "w4a8_mxfp4",
}
"""Scheme of a data type's name in the files, where it has another one."""
FILES = (".yaml", ".yml")
"""How a device's label ends that is a hardware file."""
MOST_NEAREST = 20
"""Unknown devices of a file for which the nearest name is looked up."""
MOST_EXPERTS = 10_000.0
MOST_SKEW = 10.0
"""Experts of a layer, and exponent of a power law, beyond which a row is a typing error. [1]"""
NARROW_VALUES = {192.0: 128.0}
"""Width of values by that of keys, where kernels are run with narrower ones (latent attention). [1]"""


@dataclass(slots=True)
class Kernels:
    """Measured kernels of one device, one scheme and one implementation.

    Attributes
    ----------
    section : str
        Section of `llmperf.descriptors.achieved.Achieved` that holds their constants.
    device, scheme, kernel : str
        The chip, as the catalog finds it or as a file; what is computed (``bf16/d128``); which implementation.
    measured, bound : ndarray, (rows,)
        Time, and the time that no kernel beats (NaN where the wire bytes are not known). [s]
    arguments : dict of str to ndarray
        What the closed form of the section takes.
    operands : ndarray or None
        Bytes that a repeated run finds in the cache, where the form has a memory time. [B]
    ids, sources, notes : list of str
    """

    section: str
    device: str
    scheme: str
    kernel: str
    measured: Array
    bound: Array
    arguments: dict[str, Array]
    operands: Array | None
    ids: list[str]
    sources: list[str]
    note: str = ""

    @property
    def selectors(self) -> tuple[str, str]:
        """Keys of the fit of all implementations, and of this one."""
        name, slash, width = self.scheme.partition("/d")
        return self.scheme, f"{name}/{self.kernel}{slash}{width}"

    def __len__(self) -> int:
        return len(self.measured)

    def take(self, rows: NDArray[Any]) -> Kernels:
        """Some of the rows (indices or a mask)."""
        index = np.arange(len(self))[rows]
        return Kernels(
            self.section,
            self.device,
            self.scheme,
            self.kernel,
            self.measured[index],
            self.bound[index],
            {name: column[index] if np.ndim(column) else column for name, column in self.arguments.items()},
            None if self.operands is None else self.operands[index],
            [self.ids[row] for row in index],
            [self.sources[row] for row in index],
            self.note,
        )


@dataclass(slots=True)
class Measured:
    """The kernels of a file, and what could not be expressed."""

    kernels: list[Kernels] = field(default_factory=list)
    omitted: list[tuple[str, str]] = field(default_factory=list)
    copies: list[float] = field(default_factory=list)
    """Rates of copies between device and pinned host memory. [B/s]"""
    launches: list[float] = field(default_factory=list)
    """Host times of eager launches. [s]"""


def predict(kernels: Kernels, fit: Any, machine: Machine) -> Array:
    """Time of each kernel with given constants. [s]"""
    arguments = dict(kernels.arguments)
    if kernels.operands is not None:
        arguments["memory"] = arguments["memory"] * machine.relieved(kernels.operands) / kernels.operands
    return FORMS[kernels.section](fit, machine, **arguments)


def project(kernels: Kernels) -> Array:
    """Time of each kernel with the constants that ship for its chip and implementation. [s]"""
    machine = machine_of(chip(kernels.device))
    known = getattr(machine.hardware.achieved, kernels.section)
    return predict(kernels, pick(known, kernels.scheme, (kernels.kernel,)), machine)


def _gemm(fit: Any, _: Machine, compute: Array, memory: Array, k: Array, rows: Array, quantized: Array) -> Array:
    time = gemm.time(fit, compute, memory, k)[0]
    passes = gemm.quantize_time(fit, quantized, rows)[0]
    return np.asarray(time + np.where(quantized > 0.0, passes, 0.0))


def _prefill(fit: Any, machine: Machine, **arguments: Array) -> Array:
    return attention.prefill_time(fit, cores=machine.cores, **arguments)[0]


def _decode(fit: Any, machine: Machine, **arguments: Array) -> Array:
    return attention.decode_time(fit, cores=machine.cores, **arguments)[0]


def _elementwise(fit: Any, machine: Machine, memory: Array, size: Array) -> Array:
    return elementwise.time(fit, np.zeros_like(memory), memory, machine.fill(size))[0]


def _moe(
    fit: Any,
    _: Machine,
    compute: Array,
    memory: Array,
    passes: Array,
    foreign: Array,
    k: Array,
    rows: Array,
    hit: Array,
) -> Array:
    """Both products of a layer: (2, rows) arrays in the rows' own order, summed."""
    halves = [
        moe.time(fit, compute[:, half], memory[:, half], passes[:, half], foreign[:, half], k[:, half], rows, hit)[0]
        for half in (0, 1)
    ]
    return np.asarray(halves[0] + halves[1])


def _collective(fit: Any, _: Machine, wire: Array, bandwidth: Array, ranks: Array) -> Array:
    constants = fit if isinstance(fit, CollectiveAchieved) else collectives.at(fit, ranks)
    return collectives.time(constants, wire, bandwidth)


FORMS: dict[str, Callable[..., Array]] = {
    "gemm": _gemm,
    "attention_prefill": _prefill,
    "attention_decode": _decode,
    "elementwise": _elementwise,
    "moe": _moe,
    "scale_up": _collective,
    "scale_out": _collective,
}
"""Closed form of each section."""


@cache
def chip(name: str) -> Any:
    """A chip of the catalog by any of its names."""
    return component("hardware", name)


def slug(text: str) -> str:
    """The name of an implementation as a selector's part: lower case, without versions and paths."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower().split("/")[0]).strip("_") or "unnamed"


def stack(source: str) -> str:
    """The software behind a measurement: ``vllm`` of ``aic:vllm-0.24.0``."""
    found = re.match(r"(?:aic:)?([A-Za-z_]+)", source)
    return slug(found.group(1)) if found else "unnamed"


def _known() -> frozenset[str]:
    """Names and aliases of the catalog's hardware."""
    return frozenset(catalog.files("hardware")) | frozenset(catalog.aliases("hardware"))


def _unknown(device: str, known: frozenset[str], look: bool) -> str:
    near = nearest(device, known) if look else None
    return f"device {device[:MAX_SHOWN]}: unknown hardware {shown(device)}" + (f" (nearest: {near})" if near else "")


def _groups(
    table: Table, out: Measured, *keys: NDArray[Any]
) -> Iterator[tuple[Any, str, Any, NDArray[Any], list[str]]]:
    """Rows of equal device and keys: (chip, its name, key, indices, ids); unknown chips are noted as omitted."""
    ids = unique(table.text("id")) if "id" in table.columns else [f"{line}" for line in table.lines]
    devices = table.labels("device")
    order: dict[Any, list[int]] = {}
    for row, key in enumerate(zip(devices, *keys, strict=True)):
        order.setdefault(key, []).append(row)
    known, unknown = _known() | table.files, dict[str, str]()
    for (device, *key), rows in order.items():
        names = [ids[row] for row in rows]
        device = str(device)
        if device not in known and device.strip().lower() not in known:
            if device not in unknown:
                unknown[device] = _unknown(device, known, len(unknown) < MOST_NEAREST)
            out.omitted += [(name, unknown[device]) for name in names]
            continue
        try:
            hardware = chip(device)
        except InputError as error:
            out.omitted += [(name, f"device {device[:MAX_SHOWN]}: {error.problems[0].message}") for name in names]
            continue
        label = device if device.endswith(FILES) else hardware.name
        yield hardware, label, key, np.array(rows), names


def _peak(hardware: Any, scheme: str) -> float | None:
    dtype = compute_dtype(hardware, PEAKS.get(scheme, scheme))
    return None if dtype is None else float(hardware.engine("gemm").peaks[dtype])


def _bound(hardware: Any, compute: Array, size: Array) -> Array:
    cache_bytes = hardware.cache.capacity if hardware.cache and hardware.cache.capacity else 0.0
    return np.asarray(np.maximum(compute, main_memory_bytes(size, cache_bytes) / hardware.main.bandwidth))


def _schemes(table: Table, column: str = "dtype") -> NDArray[Any]:
    return np.array([DTYPES.get(text, text) for text in table.text(column)], dtype=object)


def read_gemm(table: Table) -> Measured:
    """Matrix products: device, dtype, m, n, k, time, kernel, source."""
    out, schemes, kernel = Measured(), _schemes(table), table.labels("kernel")
    m, n, k, time = table.numbers("m"), table.numbers("n"), table.numbers("k"), table.seconds()
    sources = table.text("source")
    table.check()
    for hardware, label, (scheme, name), rows, ids in _groups(table, out, schemes, kernel):
        if scheme == "fp8" and _peak(hardware, scheme) is None:
            scheme = "w8a16"  # without an engine for it, 8-bit weights are converted before the product
        peak = _peak(hardware, scheme) if scheme in BITS else None
        if peak is None:
            out.omitted += [(row, f"{hardware.name} has no {scheme}") for row in ids]
            continue
        if "grouped" in name:
            out.omitted += [
                (row, "a grouped product without a column that says how its rows are grouped") for row in ids
            ]
            continue
        inputs = INPUTS.get(scheme, 2.0)
        outputs = max(inputs, 2.0)
        size = n[rows] * k[rows] * BITS[scheme] / 8 + m[rows] * (k[rows] * inputs + n[rows] * outputs)
        compute = 2.0 * m[rows] * n[rows] * k[rows] / peak
        passes = (
            m[rows] * k[rows] * (2.0 + inputs)
            if inputs < 2.0 and stack(sources[rows[0]]) != "deepgemm"
            else np.zeros(len(rows))
        )
        plugin = name.startswith("trt_flow")  # single layers of an engine: none takes less than 7 us, not even 0.1 MB
        eager = plugin or (scheme == "fp8_block" and stack(sources[rows[0]]) == "vllm")
        rate = hardware.main.bandwidth
        out.kernels.append(
            Kernels(
                "gemm",
                label,
                scheme,
                f"{slug(name)}_eager" if eager else slug(name),
                time[rows],
                _bound(hardware, compute, size),
                {"compute": compute, "memory": size / rate, "k": k[rows], "rows": m[rows], "quantized": passes / rate},
                size,
                ids,
                [sources[row] for row in rows],
                "launched one by one: the time holds the host's launch" if eager else "",
            )
        )
    return out


def _attention_scheme(dtype: str, kv: str) -> str:
    return f"{dtype}-fp8" if kv == "fp8" and dtype != "fp8" else dtype


def read_prefill(table: Table) -> Measured:
    """Causal self-attention over prompts: device, dtype, kv_dtype, batch, q_len, kv_len, heads, head_dim, time."""
    out = Measured()
    dtype, kv, kernel = _schemes(table), _schemes(table, "kv_dtype"), table.labels("kernel")
    batch, query, keys = table.numbers("batch"), table.numbers("q_len"), table.numbers("kv_len")
    heads, kv_heads, width = table.numbers("n_heads"), table.numbers("n_kv_heads"), table.numbers("head_dim")
    causal, time, sources = table.numbers("causal", 1.0, above=False), table.seconds(), table.text("source")
    table.refuse("q_len", (query > keys) & (causal > 0), "must not be more than kv_len")
    table.refuse("n_kv_heads", kv_heads > heads, "must not be more than n_heads")
    table.check()
    for hardware, label, (kind, cached, name, dim), rows, ids in _groups(table, out, dtype, kv, kernel, width):
        peak = _peak(hardware, kind)
        if peak is None or kind not in BITS:
            out.omitted += [(row, f"{hardware.name} has no {kind}") for row in ids]
            continue
        value = NARROW_VALUES.get(dim, dim)
        b, q, s, h, g = batch[rows], query[rows], keys[rows], heads[rows], kv_heads[rows]
        seen = np.where(causal[rows] > 0, s - 0.5 * (q - 1.0), s)
        flops = 2.0 * b * q * seen * h * (dim + value)
        element, stored = BITS[kind] / 8, BITS.get(cached, 16.0) / 8
        size = b * q * h * (dim * element + value * 2.0) + b * s * g * (dim + value) * (element + stored)
        best = _peak(hardware, "fp8") if cached == "fp8" else None
        out.kernels.append(
            Kernels(
                "attention_prefill",
                label,
                f"{_attention_scheme(kind, cached)}/d{dim:.0f}",
                slug(name),
                time[rows],
                _bound(hardware, flops / (best or peak), size),
                {
                    "compute": flops / peak,
                    "memory": size / hardware.main.bandwidth,
                    "query": q,
                    "keys": s,
                    "waves": b * h * np.ceil(q / attention.QUERY_BLOCK),
                },
                size,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


def read_decode(table: Table) -> Measured:
    """One decode step over cached tokens: device, dtype, kv_dtype, batch, kv_len, heads, head_dim, time."""
    out = Measured()
    dtype, kv, kernel = _schemes(table), _schemes(table, "kv_dtype"), table.labels("kernel")
    batch, keys, width = table.numbers("batch"), table.numbers("kv_len"), table.numbers("head_dim")
    heads, kv_heads = table.numbers("n_heads"), table.numbers("n_kv_heads")
    time, sources = table.seconds(), table.text("source")
    table.refuse("n_kv_heads", kv_heads > heads, "must not be more than n_heads")
    table.check()
    shared = np.array([variant(group) for group in heads / kv_heads], dtype=object)
    for hardware, label, (kind, cached, name, dim, form), rows, ids in _groups(
        table, out, dtype, kv, kernel, width, shared
    ):
        peak = _peak(hardware, kind)
        if peak is None or kind not in BITS:
            out.omitted += [(row, f"{hardware.name} has no {kind}") for row in ids]
            continue
        value = NARROW_VALUES.get(dim, dim)
        b, s, h, g = batch[rows], keys[rows], heads[rows], kv_heads[rows]
        flops = 2.0 * b * s * h * (dim + value)
        size = b * s * g * (dim + value) * BITS.get(cached, 16.0) / 8 + b * h * (dim + value) * 2.0
        best = _peak(hardware, "fp8") if cached == "fp8" else None
        out.kernels.append(
            Kernels(
                "attention_decode",
                label,
                f"{_attention_scheme(kind, cached)}{form}/d{dim:.0f}",
                slug(name),
                time[rows],
                _bound(hardware, flops / (best or peak), size),
                {
                    "compute": flops / peak,
                    "memory": size / hardware.main.bandwidth,
                    "group": h / g,
                    "context": s,
                    "waves": b * g,
                },
                size,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


KINDS = {
    "attn_rope": "rope",
    "input_layernorm": "norm",
    "post_attention_layernorm": "norm",
    "silu_mul": "activation",
    "fp8_computescale": "computescale",
    "fp8_scale_matrix": "quantize",
}
"""Kind of an elementwise operator, where the files give it another name."""


def read_elementwise(table: Table) -> Measured:
    """Operators that stream activations: device, op, bytes, time."""
    out = Measured()
    kind = np.array([KINDS.get(text, text) for text in table.text("op")], dtype=object)
    size, time, sources = table.numbers("bytes"), table.seconds(), table.text("source")
    table.check()
    stacks = np.array([stack(source) for source in sources], dtype=object)
    for hardware, label, (name, software), rows, ids in _groups(table, out, kind, stacks):
        if name == "computescale" and hardware.name == "rtx-pro-6000":
            out.omitted += [(row, "a difference of two kernels' times (README of the data)") for row in ids]
            continue
        out.kernels.append(
            Kernels(
                "elementwise",
                label,
                str(name),
                software,
                time[rows],
                _bound(hardware, np.zeros(len(rows)), size[rows]),
                {"memory": size[rows] / hardware.main.bandwidth, "size": size[rows]},
                None,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


UNGATED = {(1856.0, 128.0, 6.0), (2688.0, 512.0, 22.0), (5120.0, 512.0, 22.0)}
"""(inter, n_experts, topk) of models whose experts have two matrices, not three: NVIDIA Nemotron 3 Nano, Super and
Ultra (squared ReLU without a gate; their public config.json). Files without a column ``gated`` do not say it."""
GROUP_LIMITED = {(7168.0, 256.0, 8.0)}
"""(hidden, n_experts, topk) of models that choose among the experts of half of the groups only: DeepSeek-V3
(arXiv:2412.19437, sec. 2.1.2), whatever distribution of logits a benchmark offers."""


def _gated(table: Table, kernel: NDArray[Any], inner: Array, experts: Array, top_k: Array) -> NDArray[np.bool_]:
    """Whether the experts of each row have a gate matrix beside the up matrix."""
    if "gated" in table.columns:
        return np.asarray(table.numbers("gated", 1.0, above=False) > 0.0)
    shapes = zip(inner, experts, top_k, strict=True)
    named = np.array(["nongated" in str(name) for name in kernel])
    return np.asarray(~(named | np.array([shape in UNGATED for shape in shapes])))


def _load(text: str, experts: Array, top_k: Array, tokens: Array, ranks: Array) -> Load | None:
    if text == "balanced":
        return balanced(experts, top_k, tokens, ranks)
    try:
        exponent = float(text.removeprefix("power_law_"))
    except ValueError:
        return None
    if not 0.0 < exponent <= MOST_SKEW:
        return None
    return power_law(experts, top_k, tokens, ranks, np.full(len(experts), exponent))


def _fewest_hit(load: Load, hidden: Array, experts: Array, top_k: Array, ranks: Array) -> Array:
    """Experts of a rank that are hit at least: it may hold none of those that few tokens choose. [1]"""
    limited = np.array([shape in GROUP_LIMITED for shape in zip(hidden, experts, top_k, strict=True)])
    chosen = np.minimum(np.asarray(load.hit), np.asarray(load.most_hit))
    return np.where(limited, np.minimum(top_k / ranks, 1.0), chosen)


def read_moe(table: Table) -> Measured:
    """The experts of one expert-parallel rank: device, dtype, num_tokens, hidden, inter, topk, n_experts, ..."""
    out, schemes, kernel = Measured(), _schemes(table), table.labels("kernel")
    tokens, hidden, inner = table.numbers("num_tokens"), table.numbers("hidden"), table.numbers("inter")
    top_k = table.numbers("topk", least=1.0, above=False)
    experts = table.numbers("n_experts", least=1.0, above=False, most=MOST_EXPERTS)
    tp, ep, time = table.numbers("moe_tp", 1.0), table.numbers("moe_ep", 1.0), table.seconds()
    distribution, sources = table.labels("distribution", "balanced"), table.text("source")
    gated = _gated(table, kernel, inner, experts, top_k)
    table.refuse("topk", top_k > experts, "must not be more than n_experts")
    table.check()
    for hardware, label, (scheme, name, routing), rows, ids in _groups(table, out, schemes, kernel, distribution):
        peak = _peak(hardware, scheme) if scheme in BITS else None
        load = _load(routing, experts[rows], top_k[rows], tokens[rows], ep[rows])
        if peak is None or load is None:
            why = f"{hardware.name} has no {scheme}" if peak is None else f"routing {routing} is not known"
            out.omitted += [(row, why) for row in ids]
            continue
        matrices = np.where(gated[rows], 2.0, 1.0)
        width, rate = inner[rows] / tp[rows], hardware.main.bandwidth
        n = np.stack([matrices * width, hidden[rows]], axis=1)
        k = np.stack([hidden[rows], width], axis=1)
        moved = 2.0 + INPUTS.get(scheme, 2.0)
        pairs = (tokens[rows] * top_k[rows])[:, None]
        passed = np.stack([hidden[rows] * moved + matrices * width * 2.0, (width + hidden[rows]) * moved], axis=1)
        row_count, hit = np.asarray(load.most_rows), np.asarray(load.most_hit)
        stored = hit[:, None] * n * k * BITS[scheme] / 8
        compute = 2.0 * row_count[:, None] * n * k / peak
        least = (
            _fewest_hit(load, hidden[rows], experts[rows], top_k[rows], ep[rows])[:, None] * n * k * BITS[scheme] / 8
        )
        flops = 2.0 * np.asarray(load.rows)[:, None] * n * k / peak
        out.kernels.append(
            Kernels(
                "moe",
                label,
                scheme,
                slug(name),
                time[rows],
                _bound(hardware, flops.sum(axis=1), least.sum(axis=1)),
                {
                    "compute": compute,
                    "memory": stored / rate,
                    "passes": row_count[:, None] * passed / rate,
                    "foreign": np.maximum(pairs - row_count[:, None], 0.0) * passed / rate,
                    "k": k,
                    "rows": row_count / hit,
                    "hit": hit,
                },
                None,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


OPERATIONS = {"send_recv": "p2p", "sendrecv": "p2p", "alltoall": "all_to_all"}
"""Name of a collective, where the files give it another one."""


def _operation(text: str, source: str) -> str:
    """``deepep_ll_dispatch_h7168_top8_t64`` -> ``deepep_ll_dispatch``; eager kernels carry the host's launch."""
    name = re.sub(r"_(h\d|top\d).*", "", text).lower()
    name = OPERATIONS.get(name, name)
    return f"{name}_eager" if source.endswith("_eager") else name


def _per_domain(topology: str) -> float:
    """Ranks that the topology puts on one fast domain. [1]"""
    found = re.search(r"dpn(\d+)", topology) or re.match(r"\d+x(\d+)", topology)
    if found:
        return float(found.group(1))
    found = re.match(r"(\d+)node-nvlink(\d+)", topology)
    return float(found.group(2)) if found else np.inf


def _library(source: str, topology: str) -> str:
    """``nccl`` of ``aic:nccl-2.27.3``, the function of a custom kernel, and the topology where it is a special one."""
    parts = source.removeprefix("aic:").split(":")
    name = slug(re.sub(r"-?[\d.]+(post\d+|rc\d+)?", "", parts[0]))
    if len(parts) > 1:
        name = slug(parts[1])
    return f"{name}_pairwise" if "pairwise" in topology else name


_PAIRWISE = f"{EXPLAINED}timed at the receiver, which starts after the sender: up to 1.14 times the link's rate"


def read_collectives(table: Table) -> Measured:
    """Collectives: device, topology, op, n_ranks, bytes (the whole buffer), time."""
    out = Measured()
    topology, sources = table.text("topology"), table.text("source")
    ranks, size, time = table.numbers("n_ranks", least=1.0), table.numbers("bytes"), table.seconds()
    table.check()
    operation = np.array([_operation(*pair) for pair in zip(table.text("op"), sources, strict=True)], dtype=object)
    library = np.array([_library(*pair) for pair in zip(sources, topology, strict=True)], dtype=object)
    sizes = np.array([_per_domain(text) for text in topology])
    table.refuse("topology", sizes < 1.0, "has domains without a device")
    table.check()
    domains = np.maximum(1.0, ranks / sizes)
    domains = np.ceil(domains)
    inside = ranks / domains
    for hardware, label, (op, lib, nodes, n_inside), rows, ids in _groups(
        table, out, operation, library, domains, inside
    ):
        up = hardware.link("scale_up") or hardware.link("host")
        link = up if nodes == 1 else hardware.link("scale_out") or hardware.link("host")
        if link is None:
            out.omitted += [(row, f"{hardware.name} has no link for {nodes:.0f} domains") for row in ids]
            continue
        n, s = ranks[rows], size[rows]
        factor = 2.0 if op.startswith("all_reduce") else 1.0
        wire = s if op == "p2p" else factor * s * ((n - 1.0) / n if nodes == 1 else (nodes - 1.0) / n)
        nominal = "deepep" in op or "trtllm" in op  # bytes of all choices: what is on the wire is less
        late = op == "p2p" and lib.endswith("pairwise")
        least = s if link.in_switch_reduction and op.startswith("all_reduce") and nodes == 1 else wire
        out.kernels.append(
            Kernels(
                "scale_up" if nodes == 1 else "scale_out",
                label,
                op,
                lib if nodes == 1 else f"{lib}_x{n_inside:.0f}",
                time[rows],
                np.full(len(rows), np.nan) if nominal else np.minimum(least, wire) / link.bandwidth,
                {
                    "wire": wire,
                    "bandwidth": np.full(len(rows), link.bandwidth),
                    "ranks": n if nodes == 1 else n / n_inside,
                },
                None,
                ids,
                [sources[row] for row in rows],
                "bytes of all choices, not of the wire: no bound" if nominal else _PAIRWISE if late else "",
            )
        )
    return out


FORMATS: dict[str, tuple[frozenset[str], Callable[[Table], Measured]]] = {
    "attention_prefill": (frozenset({"device", "dtype", "kv_dtype", "batch", "q_len", "head_dim"}), read_prefill),
    "attention_decode": (frozenset({"device", "dtype", "kv_dtype", "batch", "kv_len", "head_dim"}), read_decode),
    "moe": (frozenset({"device", "dtype", "num_tokens", "topk", "n_experts"}), read_moe),
    "collectives": (frozenset({"device", "op", "n_ranks", "bytes"}), read_collectives),
    "elementwise": (frozenset({"device", "op", "bytes"}), read_elementwise),
    "gemm": (frozenset({"device", "dtype", "m", "n", "k"}), read_gemm),
}
"""Kernel files: the columns that each is recognized by, the most special first, and its reader."""
