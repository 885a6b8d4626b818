"""The processor through NumPy: bandwidth, matrix products of its BLAS, elementwise operators, decode attention.

NumPy runs one thread an operator, so that large arrays are divided over threads here (its loops release the
interpreter's lock); BLAS has threads of its own. float16 and 8-bit products are left out: no BLAS runs them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count as counted
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from llmperf.evidence.bench import host
from llmperf.evidence.bench.plan import Facts, Trial, telling_first
from llmperf.evidence.bench.timing import Run

Data = NDArray[Any]

ROTATED = 4
"""Operands are taken from memory of this many times the last-level cache, as far as the limit allows. [1]"""
LEAST_ROTATED = 512 * 2**20
"""And from no less, where the cache is small or unknown. [B]"""
ASSUMED_MEMORY = 4 * 2**30
"""Main memory where the system does not say. [B]"""
FILLED_A_SECOND = 64 * 2**20
"""Memory that is claimed for each second of the time: fresh pages cost time, too. [B]"""
ARRAYS = (32 * 2**10, 512 * 2**10, 8 * 2**20)
"""Sizes of a streamed array beside the largest: about the first, second and last level of cache. [B]"""
STREAMED = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "dot": 2}
"""Arrays that an operation of the STREAM benchmark reads and writes; dot only reads. [1]"""
BLOCK = 16 * 2**10
"""Elements of a block that stays in the second-level cache between the passes of an operator. [1]"""
SPLIT_BYTES = 4 * 2**20
"""Elementwise operators of at least this much traffic are divided over the threads. [B]"""

PRODUCTS = ((512, 512), (1024, 1024), (2048, 2048), (1024, 4096), (4096, 4096), (14336, 4096), (4096, 14336))
WIDE_PRODUCTS = ((1024, 1024), (4096, 4096))
"""Outer and inner widths (n, k) in fp32, and in fp64."""
TELLING = ((512, 512, 512), (512, 2048, 2048), (2048, 4096, 4096))
"""Products (m, n, k) that show the peak, and come first."""
ROWS = (1, 8, 64, 512, 2048)
WIDTHS = (4096, 14336)
TOKENS = (1, 64, 1024)
HEADS, KV_HEADS, HEAD_DIM = 32, 8, 128
CACHED = ((1, 512), (1, 4096), (8, 1024), (8, 4096))
"""Sequences and cached tokens of decode attention."""


def blas() -> str:
    """Name of the BLAS that NumPy was built with."""
    try:
        found = np.show_config(mode="dicts")
        return str(found["Build Dependencies"]["blas"]["name"]).removeprefix("scipy-")  # type: ignore[index, call-overload, unused-ignore]
    except (KeyError, TypeError):
        return "blas"


class Team:
    """Threads that run parts of one operation."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)

    def slices(self, length: int, threads: int) -> list[slice]:
        """Equal parts of a range."""
        edges = np.linspace(0, length, threads + 1).astype(int)
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def run(self, work: Callable[[slice], object], parts: list[slice]) -> None:
        """Do the work of all parts; in this thread where there is only one."""
        if len(parts) == 1:
            work(parts[0])
        else:
            list(self.pool.map(work, parts))


class Cpu:
    """The processor of the machine at hand.

    Parameters
    ----------
    memory : float
        Share of the free main memory that may be used. [1]
    seconds : float
        Time that the measurement has, which bounds the memory that is claimed. [s]
    """

    def __init__(self, memory: float, seconds: float) -> None:
        vendor, label = host.processor()
        total, free = host.memory()
        assumed = not total
        if assumed:
            total = free = ASSUMED_MEMORY
        cache, cores = host.last_level_cache(), host.cores()
        self.facts = Facts(
            "cpu", label, vendor, cores, total, cache, 1, "dram", "cpu", f"numpy-{np.__version__}:{blas()}"
        )
        self.team = Team(cores)
        wanted = max(LEAST_ROTATED, ROTATED * (cache or 0))
        self.size = int(min(memory * free, wanted, seconds * FILLED_A_SECOND)) // 4096 * 4096
        self.notes = [
            "Through NumPy: fp32 and fp64 only, and only what its BLAS reaches; bf16 and int8 units are not measured, "
            "nor is prefill attention, for which NumPy has no kernel."
        ]
        if assumed:
            self.notes.append(
                f"The system does not say its memory: {total / 2**30:g} GiB are assumed. Correct the file."
            )
        if cache and self.size < 2 * cache:
            self.notes.append(
                f"The {self.size // 2**20} MiB that were used do not exceed the cache of {cache // 2**20} MiB by much: "
                "bandwidths may be those of the cache. More --seconds or --memory help."
            )
        self._held: Data | None = None
        self._kind: Any = None

    def prepare(self) -> None:
        """Claim and fill the memory."""
        self.thirds(np.float64)

    def close(self) -> None:
        """Give the memory and the threads back."""
        self._held = None
        self.team.pool.shutdown(wait=True, cancel_futures=True)

    def cases(self) -> list[Trial]:
        """All cases of the processor."""
        # one data type after the other: the memory is filled anew for each
        products = [
            case
            for dtype, shapes in ((np.float32, PRODUCTS), (np.float64, WIDE_PRODUCTS))
            for case in telling_first(self._gemm(dtype, shapes), TELLING)
        ]
        return [*self._stream(), *products, *self._elementwise(), *self._attention()]

    def thirds(self, dtype: DTypeLike) -> Data:
        """The memory that operands come from, filled: shape (3, elements)."""
        kind = np.dtype(dtype)
        if self._held is None:
            self._held = np.empty(self.size, np.uint8)
        whole = self._held[: self.size // (3 * 64) * (3 * 64)].view(kind).reshape(3, -1)
        if self._kind != kind:
            tile = np.random.default_rng(0).uniform(-1.0, 1.0, BLOCK).astype(kind)

            def fill(part: slice) -> None:
                for third in whole:
                    for start in range(part.start, part.stop, BLOCK):
                        piece = third[start : min(start + BLOCK, part.stop)]
                        piece[:] = tile[: len(piece)]

            # threads first touch what they later stream, which places the pages on their memory node
            self.team.run(fill, self.team.slices(whole.shape[1], self.team.threads))
            self._kind = kind
        return whole

    def _is_cold(self, rotated: float) -> bool:
        return rotated >= 2 * (self.facts.cache or LEAST_ROTATED // 4)

    def _stream(self) -> Iterator[Trial]:
        largest = self.size // (3 * 64) * 64
        for size in (largest, *(size for size in ARRAYS if 2 * size < largest)):
            for threads in sorted({1, self.team.threads}):
                for op, arrays in STREAMED.items():
                    if op == "dot" and threads != self.team.threads:
                        continue  # BLAS decides on its threads
                    moved = arrays * size
                    yield Trial(
                        "stream",
                        "stream",
                        {"op": op, "threads": threads, "bytes": moved},
                        0.0,
                        moved,
                        partial(self._streamed, op, size // 8, threads),
                        size == largest,
                    )

    def _streamed(self, op: str, length: int, threads: int) -> Run:
        a, b, c = self.thirds(np.float64)[:, :length]
        if op == "dot":
            return _looped(partial(_dot, b, c))
        work: dict[str, Callable[[slice], object]] = {
            "copy": lambda s: np.copyto(a[s], b[s]),
            "scale": lambda s: np.multiply(b[s], 3.0, out=a[s]),
            "add": lambda s: np.add(b[s], c[s], out=a[s]),
            "triad": lambda s: _triad(a[s], b[s], c[s]),
        }
        parts = self.team.slices(length, threads)

        def run(count: int) -> float:
            def repeated(part: slice) -> None:
                for _ in range(count):
                    work[op](part)

            begin = time.perf_counter()
            self.team.run(repeated, parts)
            return time.perf_counter() - begin

        return run

    def _gemm(self, dtype: Any, shapes: tuple[tuple[int, int], ...]) -> Iterator[Trial]:
        width = np.dtype(dtype).itemsize
        for n, k in shapes:
            held = n * k * width
            if held > self.size // 3:
                continue
            for m in ROWS:
                yield Trial(
                    "gemm",
                    "gemm",
                    {"dtype": f"fp{8 * width}", "m": m, "n": n, "k": k, "kernel": f"numpy.matmul({blas()})"},
                    2.0 * m * n * k,
                    width * (n * k + m * (n + k)),
                    partial(self._product, dtype, m, n, k),
                    self._is_cold(2 * self.size / 3),
                )

    def _product(self, dtype: Any, m: int, n: int, k: int) -> Run:
        weights = self._in_turn(self.thirds(dtype)[:2].reshape(-1), n, k)
        rows, out = np.ones((m, k), dtype), np.zeros((m, n), dtype)
        return _looped(lambda turn: np.matmul(rows, weights[turn % len(weights)].T, out=out))

    @staticmethod
    def _in_turn(memory: Data, *shape: int) -> Data:
        """As many arrays of a shape as the memory holds."""
        each = int(np.prod(shape))
        count = len(memory) // each
        return memory[: count * each].reshape(count, *shape)

    def _elementwise(self) -> Iterator[Trial]:
        for tokens in TOKENS:
            for hidden in WIDTHS:
                if tokens * hidden * 4 > self.size // 3:
                    continue
                for op, moved in (("add", 12), ("silu_mul", 12), ("input_layernorm", 8)):
                    yield Trial(
                        "elementwise",
                        "elementwise",
                        {"op": op, "tokens": tokens, "hidden": hidden, "bytes": moved * tokens * hidden},
                        0.0,
                        moved * tokens * hidden,
                        partial(self._streaming, op, tokens, hidden, moved * tokens * hidden),
                        self._is_cold(moved * self.size / 12),
                    )

    def _streaming(self, op: str, tokens: int, hidden: int, moved: int) -> Run:
        x, y, out = (self._in_turn(third, tokens, hidden) for third in self.thirds(np.float32))
        weight = np.ones(hidden, np.float32)
        threads = min(self.team.threads, tokens) if moved >= SPLIT_BYTES else 1
        parts = self.team.slices(tokens, threads)
        block = tokens if op == "add" else max(1, 2 * BLOCK // hidden)
        work: dict[str, Callable[[Data, Data, Data], object]] = {
            "add": lambda a, b, o: np.add(a, b, out=o),
            "silu_mul": _silu_mul,
            "input_layernorm": lambda a, _, o: _rms_norm(a, weight, o),
        }

        def call(turn: int) -> None:
            index = turn % len(x)

            def rows(part: slice) -> None:
                for start in range(part.start, part.stop, block):
                    piece = slice(start, min(start + block, part.stop))
                    work[op](x[index, piece], y[index, piece], out[index, piece])

            self.team.run(rows, parts)

        return _looped(call)

    def _attention(self) -> Iterator[Trial]:
        for batch, length in CACHED:
            held = batch * KV_HEADS * length * HEAD_DIM * 4
            if held > self.size // 3:
                continue
            shape: dict[str, str | int] = {
                "batch": batch,
                "kv_len": length,
                "n_heads": HEADS,
                "n_kv_heads": KV_HEADS,
                "head_dim": HEAD_DIM,
            }
            yield Trial(
                "attention",
                "attention_decode",
                {"dtype": "fp32", "kv_dtype": "fp32", **shape, "kernel": f"numpy.matmul({blas()})"},
                4.0 * batch * HEADS * length * HEAD_DIM,
                2 * held + 8 * batch * HEADS * HEAD_DIM,
                partial(self._decode, batch, length),
                self._is_cold(2 * self.size / 3),
            )

    def _decode(self, batch: int, length: int) -> Run:
        memory = self.thirds(np.float32)
        keys, values = (self._in_turn(memory[i], batch, KV_HEADS, length, HEAD_DIM) for i in (0, 1))
        query = np.full((batch, KV_HEADS, HEADS // KV_HEADS, HEAD_DIM), 0.01, np.float32)
        scores = np.empty((batch, KV_HEADS, HEADS // KV_HEADS, length), np.float32)
        out = np.empty_like(query)

        def call(turn: int) -> None:
            index = turn % len(keys)
            np.matmul(query, keys[index].swapaxes(-1, -2), out=scores)
            np.exp(scores - scores.max(axis=-1, keepdims=True), out=scores)
            np.divide(scores, scores.sum(axis=-1, keepdims=True), out=scores)
            np.matmul(scores, values[index], out=out)

        return _looped(call)


def _looped(call: Callable[[int], object]) -> Run:
    """Runs a call so many times, each with the number of its turn, which goes on from run to run."""
    turns = counted()

    def run(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            call(next(turns))
        return time.perf_counter() - begin

    return run


def _dot(b: Data, c: Data, _: int) -> None:
    np.dot(b, c)


def _triad(a: Data, b: Data, c: Data) -> None:
    """``a = b + 3 c`` in blocks, so that `a` passes memory once, as in a fused loop."""
    for start in range(0, len(a), BLOCK):
        block = slice(start, start + BLOCK)
        np.multiply(c[block], 3.0, out=a[block])
        np.add(a[block], b[block], out=a[block])


def _silu_mul(x: Data, y: Data, out: Data) -> None:
    """``x / (1 + exp(-x)) * y`` of rows that stay in the cache."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1.0, out=out)
    np.divide(x, out, out=out)
    np.multiply(out, y, out=out)


def _rms_norm(x: Data, weight: Data, out: Data) -> None:
    """``x / sqrt(mean(x^2)) * weight`` of rows that stay in the cache."""
    mean = np.einsum("ij,ij->i", x, x) / x.shape[1]
    np.multiply(x, (1.0 / np.sqrt(mean + 1e-6))[:, None], out=out)
    np.multiply(out, weight, out=out)
