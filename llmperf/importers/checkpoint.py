"""What checkpoint files hold, whatever their format: tensors, bytes and parameters, read from headers alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from llmperf.errors import InputError, Problem
from llmperf.files.documents import irregular

MAX_HEADER = 64 * 2**20
"""Largest header that is read [B]; real ones have at most some MiB."""
MAX_TENSORS = 250_000
"""Most tensors of one file; the largest known checkpoints have 150 000 in all their files together."""
MAX_SHARDS = 2_000
"""Most files of one checkpoint."""
MAX_ELEMENTS = 2**63 - 1
"""Most elements of a tensor, and largest dimension: what a signed 64-bit integer holds."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as a header describes it.

    Parameters
    ----------
    dtype : str
        Name of the element type, as the format spells it.
    shape : tuple of int
        Dimensions, in the order of the file: safetensors names the slowest first, GGUF the fastest.
    bytes : int
        Size of the stored data. [B]
    offset : int
        Where the data start, counted from the first byte after the header. [B]
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    offset: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the files of one checkpoint hold.

    Parameters
    ----------
    bytes : int
        Size of all tensors, without headers and padding. [B]
    bytes_by_dtype : dict
        The same for each element type. [B]
    parameters : int
        Elements of all tensors, as they are stored: packed 4-bit weights of safetensors count as their containers.
    tensors : int
        Number of tensors.
    files : tuple of str
        The files whose headers were read.
    linear_bytes, linear_parameters : int
        Size [B] and elements of the linear layers alone: no embeddings, output head, norms, biases or routers.
        Zero where the format cannot tell (safetensors).
    warnings : tuple of str
        What makes these numbers doubtful.
    whole : bool
        Whether no file is known to be missing.
    """

    bytes: int
    bytes_by_dtype: dict[str, int]
    parameters: int
    tensors: int
    files: tuple[str, ...]
    linear_bytes: int = 0
    linear_parameters: int = 0
    warnings: tuple[str, ...] = ()
    whole: bool = True

    @property
    def most_parameters(self) -> float:
        """Parameters that it can hold at most: one an element of 16 bits or more, and else of `NARROWEST` bits each."""
        return sum(8.0 * size / FLOATS.get(dtype, NARROWEST) for dtype, size in self.bytes_by_dtype.items())

    @property
    def bits(self) -> float | None:
        """Mean bits of a stored element; None where there is none."""
        return 8 * self.bytes / self.parameters if self.parameters else None

    @property
    def linear_bits(self) -> float | None:
        """Mean bits of an element of the linear layers; None where they are not known."""
        return 8 * self.linear_bytes / self.linear_parameters if self.linear_parameters else None


def summed(
    tensors: Mapping[str, TensorInfo], files: Iterable[str], warnings: Iterable[str], linear: Iterable[str] = ()
) -> Checkpoint:
    """The `Checkpoint` of `tensors`, of which those named by `linear` are weights of linear layers."""
    by_dtype: dict[str, int] = {}
    for tensor in tensors.values():
        by_dtype[tensor.dtype] = by_dtype.get(tensor.dtype, 0) + tensor.bytes
    inner = [tensors[name] for name in linear]
    return Checkpoint(
        bytes=sum(by_dtype.values()),
        bytes_by_dtype=dict(sorted(by_dtype.items(), key=lambda item: -item[1])),
        parameters=sum(tensor.elements for tensor in tensors.values()),
        tensors=len(tensors),
        files=tuple(files),
        linear_bytes=sum(tensor.bytes for tensor in inner),
        linear_parameters=sum(tensor.elements for tensor in inner),
        warnings=tuple(warnings),
    )


FLOATS = {"F64": 64.0, "F32": 32.0, "F16": 16.0, "BF16": 16.0}
"""Element types of which each holds one parameter; others may be packed."""
LEAST = 0.5
"""Share of its parameters that a checkpoint holds at least: tied or omitted tensors are no more than the rest."""
NARROWEST = 1.5
"""Bits of the narrowest formats in use: BitNet has 1.58, IQ1_S of llama.cpp 1.56."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file, open for reading, and its size [B]; whatever the system refuses becomes an `InputError`."""
    file = str(path)
    try:
        if not path.is_file():
            raise InputError(Problem(irregular(path), file=file))
        with path.open("rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror or error}", file=file)) from None


def is_file(path: Path) -> bool:
    """Whether `path` is a regular file; False where the system refuses to say."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; False where the system refuses to say."""
    try:
        return path.is_dir()
    except OSError:
        return False


def overlap(tensors: Mapping[str, TensorInfo]) -> tuple[str, str] | None:
    """Names of two tensors whose data overlap, or None when none do."""
    end, last = 0, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].bytes)):
        if tensor.offset < end:
            return last, name
        end, last = tensor.offset + tensor.bytes, name
    return None
