"""A GPU through PyTorch (CUDA or ROCm): the same operators as an engine runs, timed on the device.

Kernels are captured in a graph and replayed between two events, so that the host's launches do not count; where a
library cannot be captured, they run eagerly. Operands are taken in turn from more memory than the second-level cache
holds. Nothing here asks for CUDA but `Timer` and `found`: on ``torch.device("cpu")`` the same operators are timed
by the clock.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from llmperf.errors import InputError
from llmperf.evidence.bench.plan import Facts, Trial, telling_first
from llmperf.evidence.bench.timing import GRAPH_CALLS, Run, Timer
from llmperf.scenarios.catalog import find
from llmperf.scenarios.components import component

ROTATED = 4
"""Operands are taken from memory of this many times the second-level cache, as far as the limit allows. [1]"""
LEAST_ROTATED = 256 * 2**20
"""And from no less. [B]"""

PRODUCTS = ((1024, 1024), (1024, 4096), (4096, 4096), (8192, 8192), (4096, 14336), (28672, 4096))
FEW_PRODUCTS = ((4096, 4096), (8192, 8192))
"""Outer and inner widths (n, k) of bf16 and fp8, and of fp16 and fp32."""
TELLING = ((1024, 1024, 1024), (4096, 8192, 8192))
"""Products (m, n, k) that show the peak, and come first."""
ROWS = (1, 8, 64, 256, 1024, 4096, 8192)
FEW_ROWS = (1, 256, 4096)
DTYPES = {"bfloat16": 2, "fp8": 1, "fp16": 2, "fp32": 4}
"""Data types by their name in kernel tables, and bytes of an element; those of few products come last. [B]"""
WIDTHS = (4096, 8192, 14336)
TOKENS = (1, 64, 1024, 8192)
HEADS = ((32, 8, 128), (32, 32, 128), (32, 8, 64))
"""Query heads, key heads and width of a head."""
PROMPTS = ((1, 128), (8, 512), (1, 2048), (1, 8192), (1, 16384))
CACHED = ((1, 512), (1, 4096), (16, 1024), (1, 32768), (64, 1024), (16, 8192), (64, 8192))
"""Sequences and tokens of prefill and of decode attention."""
STREAMED = {"copy": 2, "scale": 2, "add": 3, "dot": 2}
"""Arrays that an operation reads and writes. [1]"""
ARRAYS = (2**20, 8 * 2**20, 64 * 2**20, 512 * 2**20)
"""Sizes of a streamed array. [B]"""
COPIED = (4 * 2**10, 64 * 2**10, 2**20, 16 * 2**20, 256 * 2**20)
REDUCED = (4 * 2**10, 64 * 2**10, 2**20, 16 * 2**20, 256 * 2**20)
"""Bytes copied from and to the host, and reduced over devices. [B]"""


def installed() -> bool:
    """Whether PyTorch can be imported; does not import it."""
    return importlib.util.find_spec("torch") is not None


def found() -> tuple[Any, str]:
    """PyTorch where it sees a CUDA or ROCm device, else None; and what to say about others that it sees."""
    if not installed():
        return None, ""
    torch: Any = importlib.import_module("torch")
    if torch.cuda.is_available():
        return torch, ""
    for name, there in (("Apple GPU (MPS)", _backend(torch, "mps")), ("Intel GPU (XPU)", _backend(torch, "xpu"))):
        if there:
            return None, f"PyTorch sees an {name}, which is not measured yet."
    return None, ""


def _backend(torch: Any, name: str) -> bool:
    module = getattr(torch.backends, name, None) if name == "mps" else getattr(torch, name, None)
    return bool(module is not None and module.is_available())


def known(label: str, capacity: float) -> str | None:
    """The catalog's chip of a device by the name that its driver gives.

    Parameters
    ----------
    label : str
        ``NVIDIA H100 80GB HBM3``, ``NVIDIA GeForce RTX 4090``, ``AMD Instinct MI300X``.
    capacity : float
        Its memory; a chip whose memory differs by more than a tenth is another one (a smaller card, a slice). [B]
    """
    bare = re.sub(r"^(NVIDIA|AMD) (Graphics Device )?", "", label.strip())
    for spelling in dict.fromkeys((label, label.replace(" ", "-"), bare, bare.replace(" ", "-"))):
        try:
            stem = find("hardware", spelling).stem
            chip = component("hardware", stem)
        except InputError:
            continue  # not of the catalog, or without a peak or a memory
        if abs(capacity / chip.main.capacity - 1.0) < 0.1:
            return stem
    return None


class Gpu:
    """The first device that PyTorch sees; its equals count for collectives.

    Parameters
    ----------
    torch : module
        PyTorch.
    memory : float
        Share of the device's free memory that may be used. [1]
    device : str
        ``cuda``, or ``cpu`` to run the same operators without a GPU.
    """

    def __init__(self, torch: Any, memory: float, device: str = "cuda") -> None:
        self.torch, self.device = torch, torch.device(device, 0) if device == "cuda" else torch.device(device)
        self.timer = Timer(torch, self.device)
        self.notes: list[str] = []
        self.ranks: Any = None
        self.apart = ""
        """Why the devices do not reduce together."""
        self.hip = torch.version.hip is not None
        self.facts, free, self.fp8 = self._cuda_facts() if self.timer.cuda else self._cpu_facts()
        self.limit = int(memory * free)
        self.rotated = min(self.limit // 2, max(LEAST_ROTATED, ROTATED * (self.facts.cache or 0)))
        self.dtypes = {
            "bfloat16": torch.bfloat16,
            "fp16": torch.float16,
            "fp32": torch.float32,
            "fp8": self.fp8,
        }

    def _cuda_facts(self) -> tuple[Facts, int, Any]:
        torch = self.torch
        card = torch.cuda.get_device_properties(self.device)
        free, _ = torch.cuda.mem_get_info(self.device)
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        if len(names) > 1:
            self.notes.append(f"The first device alone was measured: {', '.join(sorted(names))} are not equal.")
        consumer = re.search(r"GeForce|TITAN|Radeon", card.name) is not None
        default = "gpu-datacenter-amd" if self.hip and not consumer else "gpu-datacenter"
        arch = getattr(card, "gcnArchName", "")
        fp8 = None
        if arch.startswith("gfx94"):
            fp8 = torch.float8_e4m3fnuz  # the first generation of AMD's 8-bit floats has no negative zero
        elif arch.startswith("gfx95") or (not self.hip and (card.major, card.minor) >= (8, 9)):
            fp8 = torch.float8_e4m3fn
        facts = Facts(
            "gpu",
            card.name,
            "AMD" if self.hip else "NVIDIA",
            card.multi_processor_count,
            card.total_memory,
            getattr(card, "L2_cache_size", 0) or None,
            torch.cuda.device_count() if len(names) == 1 else 1,
            "vram",
            "gpu-consumer" if consumer else default,
            f"torch-{torch.__version__}",
            known(card.name, card.total_memory),
        )
        return facts, free, fp8

    def _cpu_facts(self) -> tuple[Facts, int, Any]:
        from llmperf.evidence.bench import host

        vendor, label = host.processor()
        total, free = host.memory()
        software = f"torch-{self.torch.__version__}"
        facts = Facts("cpu", label, vendor, host.cores(), total, None, 1, "dram", "cpu", software)
        return facts, free, getattr(self.torch, "float8_e4m3fn", None)

    def prepare(self) -> None:
        """Start the device's context and its libraries."""
        small = self.torch.ones((64, 64), dtype=self.torch.bfloat16, device=self.device)
        self.timer.elapsed(lambda: self.torch.matmul(small, small))

    def close(self) -> None:
        """Give back memory and the processes of the collectives."""
        if self.ranks is not None:
            self.ranks.close()
        if self.timer.cuda:
            self.torch.cuda.empty_cache()
        if self.timer.uncaptured:
            self.notes.append(
                f"{self.timer.uncaptured} operators could not be captured in a graph: their times carry launches."
            )

    def cases(self) -> list[Trial]:
        """All cases of the GPU."""
        parts = [*self._stream(), *self._gemm(), *self._elementwise(), *self._attention()]
        if self.timer.cuda:
            parts += [*self._copies(), *self._launches()]
        if self.facts.devices > 1:
            parts += self._collectives()
        return parts

    def _turns(self, dtype: Any, *shape: int, least: int = 1) -> Any:
        """As many random arrays of a shape as exceed the cache: shape (arrays, shape...)."""
        torch = self.torch
        size = 2 if dtype == self.fp8 else torch.empty((), dtype=dtype).element_size()
        arrays = max(least, self.rotated // (math.prod(shape) * size))
        made = torch.empty((arrays, *shape), dtype=torch.bfloat16 if dtype == self.fp8 else dtype, device=self.device)
        made.uniform_(-1.0, 1.0)
        return made.to(dtype)

    def _stream(self) -> Iterator[Trial]:
        sizes = sorted((size for size in ARRAYS if 3 * size <= self.limit), reverse=True)
        for size in sizes:
            for op, arrays in STREAMED.items():
                row: dict[str, str | int] = {"op": op, "threads": self.facts.cores, "bytes": arrays * size}
                build = partial(self._streamed, op, size // 4)
                yield Trial("stream", "stream", row, 0.0, arrays * size, build, size == sizes[0])

    def _streamed(self, op: str, length: int) -> Run:
        torch = self.torch
        a, b, c = torch.ones((3, length), dtype=torch.float32, device=self.device)
        calls: dict[str, Callable[[int], object]] = {
            "copy": lambda _: a.copy_(b),
            "scale": lambda _: torch.mul(b, 3.0, out=a),
            "add": lambda _: torch.add(b, c, out=a),
            "dot": lambda _: torch.dot(b, c),
        }
        return self.timer.captured(calls[op])

    def _gemm(self) -> Iterator[Trial]:
        for name, width in DTYPES.items():
            found: list[Trial] = []
            few = name in ("fp16", "fp32")
            if self.dtypes[name] is None:
                continue
            for n, k in FEW_PRODUCTS if few else PRODUCTS:
                for m in FEW_ROWS if few else ROWS:
                    out = 4 if name == "fp32" else 2
                    moved = width * n * k + m * (k * max(width, 2) + n * out)
                    if 2 * (n * k + m * (n + k)) * max(width, 2) > self.limit:
                        continue
                    kernel = "torch._scaled_mm" if name == "fp8" else "torch.matmul"
                    row: dict[str, str | int] = {"dtype": name, "m": m, "n": n, "k": k, "kernel": kernel}
                    build = partial(self._product, name, m, n, k)
                    found.append(Trial("gemm", "gemm", row, 2.0 * m * n * k, moved, build, self._is_cold()))
            yield from telling_first(found, TELLING)

    def _is_cold(self) -> bool:
        return self.rotated >= 2 * (self.facts.cache or LEAST_ROTATED // 4)

    def _product(self, name: str, m: int, n: int, k: int) -> Run:
        torch, dtype = self.torch, self.dtypes[name]
        weights = self._turns(dtype, n, k)
        if name == "fp8":
            rows = torch.ones((m, k), dtype=torch.bfloat16, device=self.device)
            scale = torch.ones((), dtype=torch.float32, device=self.device)
            fast = {} if self.hip or not self.timer.cuda else {"use_fast_accum": True}

            def call(turn: int) -> object:
                # as engines do with a static scale: inputs become fp8 first, and the result is bf16
                return torch._scaled_mm(
                    rows.to(dtype),
                    weights[turn % len(weights)].t(),
                    scale_a=scale,
                    scale_b=scale,
                    out_dtype=torch.bfloat16,
                    **fast,
                )

            return self.timer.captured(call)
        rows = torch.ones((m, k), dtype=dtype, device=self.device)
        out = torch.empty((m, n), dtype=dtype, device=self.device)
        return self.timer.captured(lambda turn: torch.matmul(rows, weights[turn % len(weights)].t(), out=out))

    def _elementwise(self) -> Iterator[Trial]:
        for tokens in TOKENS:
            for hidden in WIDTHS:
                for op, moved in (("add", 6), ("gelu", 4), ("input_layernorm", 4)):
                    size = moved * tokens * hidden
                    if 2 * size > self.limit:
                        continue
                    row: dict[str, str | int] = {"op": op, "tokens": tokens, "hidden": hidden, "bytes": size}
                    build = partial(self._streaming, op, tokens, hidden)
                    yield Trial("elementwise", "elementwise", row, 0.0, size, build, self._is_cold())

    def _streaming(self, op: str, tokens: int, hidden: int) -> Run:
        torch, functional = self.torch, self.torch.nn.functional
        x = self._turns(torch.bfloat16, tokens, hidden)
        out = torch.empty_like(x)
        weight, bias = x.new_ones(hidden), x.new_zeros(hidden)
        calls: dict[str, Callable[[int], object]] = {
            "add": lambda i: torch.add(x[i], x[i - 1], out=out[i]),
            "gelu": lambda i: functional.gelu(x[i]),
            "input_layernorm": lambda i: functional.layer_norm(x[i], (hidden,), weight, bias),
        }
        return self.timer.captured(lambda turn: calls[op](turn % len(x)))

    def _attention(self) -> Iterator[Trial]:
        for heads, kv_heads, dim in HEADS:
            for batch, length in PROMPTS:
                yield from self._attended(batch, length, length, heads, kv_heads, dim)
            for batch, length in CACHED:
                yield from self._attended(batch, 1, length, heads, kv_heads, dim)

    def _attended(self, batch: int, query: int, length: int, heads: int, kv_heads: int, dim: int) -> Iterator[Trial]:
        """A case of attention; grouped heads need PyTorch 2.5."""
        release = tuple(int(part) for part in re.findall(r"\d+", self.torch.__version__)[:2])
        size = 2 * batch * dim * (2 * query * heads + 2 * length * kv_heads)
        if 2 * size > self.limit or (heads != kv_heads and release < (2, 5)):
            return
        prefill = query > 1
        seen = length - 0.5 * (query - 1.0) if prefill else length
        row: dict[str, str | int] = {"dtype": "bfloat16", "kv_dtype": "bfloat16", "batch": batch}
        row |= {"q_len": query} if prefill else {}
        row |= {"kv_len": length, "n_heads": heads, "n_kv_heads": kv_heads, "head_dim": dim}
        row |= {"causal": 1} if prefill else {}
        yield Trial(
            "attention",
            "attention_prefill" if prefill else "attention_decode",
            {**row, "kernel": "torch.sdpa"},
            4.0 * batch * query * seen * heads * dim,
            size,
            partial(self._attend, batch, query, length, heads, kv_heads, dim),
            self._is_cold(),
        )

    def _attend(self, batch: int, query: int, length: int, heads: int, kv_heads: int, dim: int) -> Run:
        torch = self.torch
        # keys and values by turns from one pool, so that both together exceed the cache
        pool = self._turns(torch.bfloat16, batch, kv_heads, length, dim, least=2)
        rows = torch.full((batch, heads, query, dim), 0.01, dtype=torch.bfloat16, device=self.device)
        grouped = {"enable_gqa": True} if heads != kv_heads else {}

        def call(turn: int) -> object:
            keys, values = pool[2 * turn % len(pool)], pool[(2 * turn + 1) % len(pool)]
            return torch.nn.functional.scaled_dot_product_attention(rows, keys, values, is_causal=query > 1, **grouped)

        return self.timer.captured(call)

    def _copies(self) -> Iterator[Trial]:
        for size in COPIED:
            if 2 * size > self.limit:
                continue
            for direction in ("host_to_device", "device_to_host"):
                for memory in ("pinned", "pageable"):
                    row: dict[str, str | int] = {"direction": direction, "memory": memory, "bytes": size}
                    build = partial(self._copied, direction, memory == "pinned", size)
                    yield Trial("copies", "copies", row, 0.0, size, build)

    def _copied(self, direction: str, pinned: bool, size: int) -> Run:
        torch = self.torch
        there = torch.ones(size, dtype=torch.uint8, device=self.device)
        here = torch.ones(size, dtype=torch.uint8, pin_memory=pinned)
        target, origin = (there, here) if direction == "host_to_device" else (here, there)
        return self.timer.eager(lambda _: target.copy_(origin, non_blocking=pinned))

    def _launches(self) -> Iterator[Trial]:
        for mode in ("eager", "graph_kernel", "graph_replay"):
            yield Trial("launches", "launches", {"mode": mode}, 0.0, 0.0, partial(self._launched, mode), cold=False)

    def _launched(self, mode: str) -> Run:
        """Host time of a launch (``eager``) or a replay (``graph_replay``); device time of a small ``graph_kernel``."""
        torch = self.torch
        one = torch.zeros(1, device=self.device)
        if mode == "graph_kernel":
            return self.timer.captured(lambda _: one.add_(1.0))
        graph = self.timer._graph(lambda _: one.add_(1.0), GRAPH_CALLS) if mode == "graph_replay" else None

        def run(count: int) -> float:
            """Launches in bursts that the queue of the device takes without making the host wait."""
            spent, left = 0.0, count
            while left > 0:
                burst = min(left, 10 if graph is not None else 200)
                torch.cuda.synchronize()
                begin = time.perf_counter()
                for _ in range(burst):
                    if graph is not None:
                        graph.replay()
                    else:
                        one.add_(1.0)
                spent += time.perf_counter() - begin
                left -= burst
            torch.cuda.synchronize()
            return spent

        return run

    def _collectives(self) -> Iterator[Trial]:
        ranks = sorted({2, self.facts.devices})
        for count in ranks:
            for size in REDUCED:
                if 2 * size > self.limit:
                    continue
                row: dict[str, str | int] = {"topology": "1node", "op": "all_reduce", "n_ranks": count, "bytes": size}
                yield Trial(
                    "collectives", "collectives", row, 0.0, size, partial(self._reduced, count, size), cold=False
                )

    def _reduced(self, count: int, size: int) -> Run:
        from llmperf.evidence.bench.ranks import Ranks

        if self.ranks is None or self.ranks.count != count:
            if self.ranks is not None:
                self.ranks.close()
                self.ranks = None
            self.ranks = self._together(lambda: Ranks(count, "nccl" if self.timer.cuda else "gloo"))
        return lambda calls: float(self._together(lambda: self.ranks.all_reduce(size, calls)))

    def _together(self, work: Callable[[], Any]) -> Any:
        """What the devices do together; once that has failed, it is not tried again, as each try waits long."""
        if self.apart:
            raise RuntimeError(self.apart)
        try:
            return work()
        except RuntimeError as error:
            self.apart = str(error)
            raise
