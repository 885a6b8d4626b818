"""Headers of safetensors and GGUF files: exact sizes, model shapes, and an `InputError` for every damaged file."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from importers.binaries import (
    ARRAY,
    BOOL,
    I32,
    STRING,
    TINY,
    TYPES,
    U8,
    U64,
    described,
    entries,
    gguf_bytes,
    safetensors_bytes,
    size_of,
    string,
    tiny,
    value,
    write_safetensors,
)
from pydantic import TypeAdapter

import llmperf
from llmperf.descriptors.model import Model
from llmperf.descriptors.parameters import parameters
from llmperf.errors import InputError
from llmperf.importers import gguf, safetensors
from llmperf.importers.checkpoint import MAX_HEADER, Checkpoint, TensorInfo
from llmperf.importers.gguf import GgufArray, GgufHeader
from llmperf.importers.gguf_model import to_model

ROOT = Path(__file__).parents[2]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda n: n != "__metadata__")


def refused(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert caught.value.problems
    return str(caught.value)


def peak(call: Callable[[], Any]) -> int:
    """Most memory that Python allocates in a call [B]."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- safetensors -----------------------------------------------------------------------------------------------------


def test_a_safetensors_file_is_read_back(tmp_path: Path) -> None:
    file = write_safetensors(
        tmp_path / "model.safetensors", {"a.weight": ("BF16", (3, 4)), "b": ("F32", ()), "c": ("F8_E4M3", (0, 9))}
    )
    assert safetensors.read_header(file) == {
        "a.weight": TensorInfo("BF16", (3, 4), 24, 0),
        "b": TensorInfo("F32", (), 4, 24),
        "c": TensorInfo("F8_E4M3", (0, 9), 0, 28),
    }
    expected = Checkpoint(28, {"BF16": 24, "F32": 4, "F8_E4M3": 0}, 13, 3, (str(file),))
    assert safetensors.exact_bytes(file) == safetensors.exact_bytes(tmp_path) == expected
    assert expected.bits == pytest.approx(8 * 28 / 13)
    assert expected.linear_bits is None


def test_an_element_of_four_bits_takes_half_a_byte(tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "m.safetensors", {"w": ("F4", (16, 32)), "s": ("F6_E2M3", (4,))})
    assert {n: t.bytes for n, t in safetensors.read_header(file).items()} == {"w": 256, "s": 3}


def test_an_empty_header_is_a_checkpoint_without_tensors(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    file.write_bytes(safetensors_bytes(b"{}      ", 0))
    assert safetensors.read_header(file) == {}
    assert safetensors.exact_bytes(file).bits is None


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(safetensors.BITS)), st.lists(st.integers(0, 5)))))
def test_any_safetensors_are_read_back(tmp_path: Path, drawn: dict[str, tuple[str, list[int]]]) -> None:
    tensors = {n: (d, tuple(s[:4]) if safetensors.BITS[d] >= 8 else (8, *s[:3])) for n, (d, s) in drawn.items()}
    found = safetensors.read_header(write_safetensors(tmp_path / "m.safetensors", tensors))
    assert {n: (t.dtype, t.shape) for n, t in found.items()} == tensors
    assert all(t.bytes * 8 == prod(t.shape) * safetensors.BITS[t.dtype] for t in found.values())


def one(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8], **changes}}


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        (one(dtype="BF17"), 8, "did you mean BF16"),
        (one(dtype=["F16"]), 8, "not known"),
        (one(shape=[2, -2]), 8, "shape"),
        (one(shape=[2, 2.0]), 8, "shape"),
        (one(shape=[True, 4]), 8, "shape"),
        (one(shape=[1] * 65), 8, "shape"),
        (one(shape=[2**63, 4]), 8, "shape"),
        (one(shape="22"), 8, "shape"),
        (one(shape=[3, 2]), 8, "do not fit"),
        (one(dtype="F4", shape=[3], data_offsets=[0, 1]), 1, "do not fit"),
        (one(data_offsets=[8, 0]), 8, "begin and an end"),
        (one(data_offsets=[0, 8, 8]), 8, "begin and an end"),
        (one(data_offsets=None), 8, "data_offsets"),
        (one(data_offsets=[4, 12]), 12, "hole"),
        ({**one(), "v": one()["w"]}, 8, "overlap"),
        (one(), 7, "truncated"),
        (one(), 9, "longer"),
        ({"w": [1]}, 0, "mapping"),
        (b"[1]", 0, "not a JSON object"),
        (b"{", 0, "not JSON"),
        (b'{"w": NaN}', 0, "mapping"),
        (b'{"\xff": 1}', 0, "UTF-8"),
        (b'{"\\ud800": 1}', 0, "Unicode"),
        (b'{"a": 1, "a": 1}', 0, "twice"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 0, "deep"),
        (b'{"a": {"dtype": "U8", "shape": [' + b"9" * 5000 + b"]}}", 0, ""),
        (b"", 0, "not a JSON object"),
    ],
)
def test_a_wrong_safetensors_header_is_refused(tmp_path: Path, header: Any, data: int, said: str) -> None:
    file = tmp_path / "m.safetensors"
    file.write_bytes(safetensors_bytes(header, data))
    assert said in (message := refused(safetensors.read_header, file))
    assert str(file)[-40:] in message


def test_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(safetensors.exact_bytes, tmp_path / "absent.safetensors")
    assert "directory" in refused(safetensors.read_header, tmp_path)
    assert "holds neither" in refused(safetensors.exact_bytes, tmp_path)
    refused(safetensors.exact_bytes, tmp_path / ("x" * 5000))
    (tmp_path / "m.safetensors").write_bytes(b"1234567")
    assert "too few" in refused(safetensors.exact_bytes, tmp_path)


def test_absurd_safetensors_sizes_allocate_nothing(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    for length in (2**64 - 1, MAX_HEADER + 1, MAX_HEADER, 100):
        file.write_bytes(struct.pack("<Q", length) + b"{}")
        assert peak(lambda: refused(safetensors.read_header, file)) < 2**20
    file.write_bytes(safetensors_bytes(one(shape=[2**62] * 64), 8))
    assert peak(lambda: refused(safetensors.read_header, file)) < 2**20
    text = b'{"a": [' + b"[]," * 2**21 + b"[]]}"
    file.write_bytes(safetensors_bytes(text, 0))
    assert peak(lambda: refused(safetensors.read_header, file)) < 3 * len(text)


def damaged(whole: bytes, cut: int, flips: list[tuple[int, int]]) -> bytes:
    out = bytearray(whole[: len(whole) - cut % (len(whole) + 1)])
    for place, bit in flips:
        if out:
            out[place % len(out)] ^= 1 << bit
    return bytes(out)


DAMAGE = (st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), max_size=6))


@given(*DAMAGE)
def test_a_damaged_safetensors_file_is_read_or_refused(tmp_path: Path, cut: int, flips: list[tuple[int, int]]) -> None:
    whole = safetensors_bytes(entries({"a": ("BF16", (2, 3)), "b.weight": ("F32", (2,)), "c": ("I64", ())}))
    file = tmp_path / "m.safetensors"
    file.write_bytes(damaged(whole, cut, flips))
    with suppress(InputError):
        assert safetensors.exact_bytes(file).bytes >= 0
    if cut % (len(whole) + 1) and not flips:
        refused(safetensors.exact_bytes, file)


# --- safetensors in several files ------------------------------------------------------------------------------------


def shards(folder: Path, total: Any = 40, **weight_map: str) -> Path:
    one_, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    write_safetensors(folder / one_, {"a": ("BF16", (3, 4))})
    write_safetensors(folder / two, {"b": ("F32", (2, 2))})
    index = folder / safetensors.INDEX
    index.write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map or {"a": one_, "b": two}}))
    return index


@pytest.mark.parametrize("total", [40, 40.0, None])
def test_the_shards_of_an_index_are_added(tmp_path: Path, total: Any) -> None:
    index = shards(tmp_path, total)
    found = safetensors.exact_bytes(tmp_path)
    assert found == safetensors.exact_bytes(index)
    assert (found.bytes, found.parameters, found.tensors, found.warnings) == (40, 16, 2, ())
    assert [Path(file).name[:11] for file in found.files] == ["model-00001", "model-00002"]
    assert safetensors.read_index(index).total_size == (None if total is None else 40)


def test_what_an_index_gets_wrong_is_warned_of(tmp_path: Path) -> None:
    index = shards(tmp_path, 41)
    write_safetensors(tmp_path / "consolidated.safetensors", {"a": ("BF16", (3, 4))})
    text = " ".join(safetensors.exact_bytes(index).warnings)
    assert "says 41 bytes" in text
    assert "1 safetensors file(s) that the index does not name" in text
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    found = safetensors.exact_bytes(index)
    assert found.bytes == 24
    assert "1 of 2 files are missing" in found.warnings[0]
    (tmp_path / "model-00001-of-00002.safetensors").unlink()
    assert "none of its 2 files" in refused(safetensors.exact_bytes, index)


def test_tensors_that_differ_from_the_index_are_warned_of(tmp_path: Path) -> None:
    index = shards(tmp_path, 24, a="model-00001-of-00002.safetensors", z="model-00001-of-00002.safetensors")
    text = " ".join(safetensors.exact_bytes(index).warnings)
    assert "'z' is not in the file" in text
    index = shards(tmp_path, 40, a="model-00001-of-00002.safetensors", c="model-00002-of-00002.safetensors")
    assert "'b' is not named by the index" in " ".join(safetensors.exact_bytes(index).warnings)


def test_files_without_an_index_are_added_with_a_warning(tmp_path: Path) -> None:
    shards(tmp_path).unlink()
    found = safetensors.exact_bytes(tmp_path)
    assert found.bytes == 40
    assert "all 2 safetensors files" in found.warnings[0]
    shard = safetensors.exact_bytes(tmp_path / "model-00001-of-00002.safetensors")
    assert shard.bytes == 24
    assert "one of 2 files" in shard.warnings[0]
    write_safetensors(tmp_path / "third.safetensors", {"a": ("BF16", (3, 4))})
    twice = safetensors.exact_bytes(tmp_path)
    assert twice.bytes == 40
    assert "stand in several files" in twice.warnings[-1]
    write_safetensors(tmp_path / "model.safetensors", {"a": ("BF16", (3, 4))})
    assert "3 other" in safetensors.exact_bytes(tmp_path).warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": {"a": 1}}',
        '{"weight_map": {"a": "../../etc/passwd"}}',
        '{"weight_map": {"a": ".."}}',
        '{"weight_map": {"a": "\\u0000"}}',
        '{"weight_map": {"a": "/etc/passwd"}}',
        '{"weight_map": {"a": "x"}, "metadata": {"total_size": -1}}',
        '{"weight_map": {"a": "x"}, "metadata": {"total_size": NaN}}',
        '{"weight_map": {"a": "x"}, "metadata": {"total_size": 1e999}}',
        '{"weight_map": {"a": "x"}, "metadata": {"total_size": true}}',
        json.dumps({"weight_map": {str(n): f"{n}.safetensors" for n in range(2001)}}),
    ],
)
def test_a_wrong_index_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / safetensors.INDEX
    file.write_text(text)
    refused(safetensors.read_index, file)


def test_an_overlong_index_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / safetensors.INDEX
    with file.open("wb") as stream:
        stream.truncate(MAX_HEADER + 1)
    assert peak(lambda: refused(safetensors.read_index, file)) < 2**20
    file.write_text(json.dumps({"weight_map": {"a": "é" * 200 + ".safetensors"}}))  # too long for the system
    refused(safetensors.exact_bytes, file)


# --- GGUF ------------------------------------------------------------------------------------------------------------


def test_the_block_sizes_are_those_of_ggml() -> None:
    expected = {
        "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q8_1": (32, 36),
        "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210),
        "Q8_K": (256, 292), "IQ1_S": (256, 50), "IQ1_M": (256, 56), "IQ2_XXS": (256, 66), "IQ2_XS": (256, 74),
        "IQ2_S": (256, 82), "IQ3_XXS": (256, 98), "IQ3_S": (256, 110), "IQ4_NL": (32, 18), "IQ4_XS": (256, 136),
        "TQ1_0": (256, 54), "TQ2_0": (256, 66), "MXFP4": (32, 17), "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2),
        "F64": (1, 8), "I8": (1, 1), "I16": (1, 2), "I32": (1, 4), "I64": (1, 8), "NVFP4": (64, 36), "Q1_0": (128, 18),
    }  # fmt: skip
    assert {name: (block, size) for name, (_, block, size) in TYPES.items()} == expected


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("Q4_K", 4.5), ("Q6_K", 6.5625), ("Q8_0", 8.5), ("Q4_0", 4.5), ("IQ1_S", 1.5625), ("MXFP4", 4.25), ("F16", 16)],
)
def test_the_bits_of_a_format_are_exact(tmp_path: Path, dtype: str, bits: float) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes({}, {"blk.0.attn_q.weight": (dtype, (256, 3)), "output.weight": ("F32", (2, 2))}))
    found = gguf.exact_bytes(file)
    assert found.linear_bits == bits
    assert found.bytes_by_dtype == {dtype: int(768 * bits / 8), "F32": 16}
    assert found.bits == pytest.approx((768 * bits + 128) / 772)


METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.alignment": 64,
    "yes": True,
    "half": 0.5,
    "signed": struct.pack("<Ii", I32, -7),
    "short": [1, 2, 3],
    "words": ["a", "bc", "ü"],
    "nested": [[1, 2], [3]],
    "empty": [],
    "long": struct.pack("<IIQ", ARRAY, U8, 5000) + bytes(5000),
    "tokens": [str(n) for n in range(5000)],
}


@pytest.mark.parametrize("version", [2, 3])
def test_all_kinds_of_metadata_are_read(tmp_path: Path, version: int) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes(METADATA, {"t": ("F32", (3,))}, version))
    found = gguf.read_header(file)
    assert found.version == version
    assert found.metadata == {
        "general.architecture": "llama",
        "general.alignment": 64,
        "yes": True,
        "half": 0.5,
        "signed": -7,
        "short": GgufArray(3, (1, 2, 3)),
        "words": GgufArray(3, ("a", "bc", "ü")),
        "nested": GgufArray(2, (GgufArray(2, (1, 2)), GgufArray(1, (3,)))),
        "empty": GgufArray(0, ()),
        "long": GgufArray(5000, None),
        "tokens": GgufArray(5000, None),
    }
    assert found.tensors == {"t": TensorInfo("F32", (3,), 12, 0)}


DIMS = st.lists(st.integers(1, 4), max_size=3)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(TYPES)), st.integers(0, 2), DIMS)))
def test_any_gguf_tensors_are_read_back(tmp_path: Path, drawn: dict[str, tuple[str, int, list[int]]]) -> None:
    tensors = {name: (dtype, (rows * TYPES[dtype][1], *rest)) for name, (dtype, rows, rest) in drawn.items()}
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes({"general.architecture": "x"}, tensors))
    found = gguf.read_header(file).tensors
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == tensors
    assert {name: t.bytes for name, t in found.items()} == {n: size_of(*t) for n, t in tensors.items()}
    assert gguf.exact_bytes(file).parameters == sum(prod(dims) for _, dims in tensors.values())


def start(version: int = 3, tensors: int = 0, metadata: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, metadata)


def info(name: str = "t", dims: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def nest(depth: int) -> bytes:
    return struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", U8, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a GGUF"),
        (b"GGML" + bytes(40), "not a GGUF"),
        (start(1), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (start(tensors=2**63), "tensors, more than"),
        (start(metadata=2**40), "metadata keys, more than"),
        (start(metadata=1), "ends inside"),
        (start(metadata=1) + string(b"\xff\xfe") + value(1), "UTF-8"),
        (start(metadata=1) + struct.pack("<Q", 2**62), "bytes long"),
        (start(metadata=1) + string("k") + struct.pack("<I", 13), "type 13"),
        (start(metadata=1) + string("k") + struct.pack("<IIQ", ARRAY, 13, 1), "type 13"),
        (start(metadata=1) + string("k") + struct.pack("<IB", BOOL, 2), "boolean"),
        (start(metadata=1) + string("k") + struct.pack("<IQ", STRING, 2**63), "ends inside"),
        (start(metadata=1) + string("k") + struct.pack("<IIQ", ARRAY, U64, 2**60), "ends inside"),
        (start(metadata=1) + string("k") + struct.pack("<IIQ", ARRAY, STRING, 2**60), "values"),
        (start(metadata=1) + string("k") + struct.pack("<IIQ", ARRAY, STRING, 1_000_000), "ends inside"),
        (start(metadata=1) + string("k") + nest(5), "nested"),
        (start(metadata=2) + (string("k") + value(1)) * 2, "twice"),
        (start(metadata=1) + string("general.alignment") + value(3), "power of two"),
        (start(metadata=1) + string("general.alignment") + value("x"), "power of two"),
        (start(metadata=1) + string("general.alignment") + value(0), "power of two"),
        (start(tensors=2) + info() * 2, "twice"),
        (start(tensors=1) + string(""), "bytes long"),
        (start(tensors=1) + info(dims=(1,) * 5), "dimensions"),
        (start(tensors=1) + info(dims=(2**63,)), "64 bits"),
        (start(tensors=1) + info(dims=(2**40, 2**40)), "64 bits"),
        (start(tensors=1) + info(kind=4), "removed"),
        (start(tensors=1) + info(dims=(48,), kind=2), "do not divide"),
        (start(tensors=1) + info(dims=(), kind=2), "do not divide"),
        (start(tensors=1) + info(offset=4) + bytes(200), "alignment"),
        (start(tensors=1) + info(), "truncated"),
        (start(tensors=1) + info(offset=2**62), "truncated"),
        (start(tensors=2) + info("a") + info("b", offset=32) + bytes(400), "overlap"),
    ],
)
def test_a_wrong_gguf_file_is_refused_without_much_memory(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(content)
    messages: list[str] = []
    assert peak(lambda: messages.append(refused(gguf.exact_bytes, file))) < 2**20
    assert said in messages[0]


def test_a_gguf_header_may_not_be_larger_than_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    with file.open("wb") as stream:  # sparse, so that the file is long enough
        stream.write(start(metadata=1) + string("k") + struct.pack("<IQ", STRING, 65 * 2**20))
        stream.truncate(200 * 2**20)
    assert peak(lambda: refused(gguf.read_header, file)) < 2**20
    with file.open("wb") as stream:
        stream.write(start(metadata=1) + string("k") + struct.pack("<IIQ", ARRAY, U8, 100 * 2**20))
        stream.truncate(200 * 2**20)
    assert peak(lambda: refused(gguf.read_header, file)) < 2**20
    assert "no such file" in refused(gguf.exact_bytes, tmp_path / "absent.gguf")
    assert "directory" in refused(gguf.exact_bytes, tmp_path)


@given(*DAMAGE)
def test_a_damaged_gguf_file_is_read_or_refused(tmp_path: Path, cut: int, flips: list[tuple[int, int]]) -> None:
    metadata, tensors = tiny()
    whole = gguf_bytes({**metadata, "words": ["a", "b"], "nested": [[1], [2]]}, tensors)
    header = len(whole) - sum(-(-size_of(*t) // 32) * 32 for t in tensors.values())
    file = tmp_path / "m.gguf"
    file.write_bytes(damaged(whole, cut, [(place % header, bit) for place, bit in flips]))
    with suppress(InputError):
        read = gguf.read_parts(file)
        assert gguf.checkpoint(read).bytes >= 0
        to_model(read)
    if cut % (len(whole) + 1) > 32 and not flips:  # the last 31 bytes may be padding
        refused(gguf.exact_bytes, file)


# --- Split GGUF ------------------------------------------------------------------------------------------------------


def split(folder: Path) -> list[Path]:
    metadata, tensors = tiny()
    names = list(tensors)
    parts = []
    for number, mine in enumerate((names[:5], names[5:])):
        part = folder / f"tiny-{number + 1:05d}-of-00002.gguf"
        own = {"split.no": number, "split.count": 2, "split.tensors.count": len(names)}
        part.write_bytes(gguf_bytes({**own, **(metadata if number == 0 else {})}, {n: tensors[n] for n in mine}))
        parts.append(part)
    return parts


def test_the_parts_of_a_split_model_are_joined(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    whole = tmp_path / "tiny.gguf"
    whole.write_bytes(gguf_bytes(*tiny()))
    found, single = gguf.exact_bytes(second), gguf.exact_bytes(whole)
    assert (found.bytes, found.bytes_by_dtype, found.tensors) == (single.bytes, single.bytes_by_dtype, single.tensors)
    assert found.warnings == ()
    assert found.files == (str(first), str(second))
    document, _ = to_model(gguf.read_parts(first))
    assert {**document, "sources": 0} == {**to_model(gguf.read_parts(whole))[0], "sources": 0}
    assert "the tensors do not tell" in refused(to_model, gguf.read_header(first))


def test_a_missing_part_is_warned_of_and_gives_no_model(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    second.unlink()
    found = gguf.exact_bytes(first)
    assert "1 of 2 parts are missing" in found.warnings[0]
    assert "the tensors do not tell" in refused(to_model, gguf.read_parts(first))
    second.write_bytes(first.read_bytes())
    assert "two parts" in refused(gguf.read_parts, first)
    many = tmp_path / "m-00001-of-99999.gguf"
    many.write_bytes(first.read_bytes())
    assert "99999 parts" in refused(gguf.read_parts, many)


# --- GGUF to a model -------------------------------------------------------------------------------------------------


def header(metadata: Mapping[str, Any], tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> GgufHeader:
    """A header as `read_parts` would give it, without a file of the model's size."""
    infos = {name: TensorInfo(dtype, dims, size_of(dtype, dims)) for name, (dtype, dims) in tensors.items()}
    return GgufHeader(3, dict(metadata), infos, ("folder/tiny.gguf",))


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("llama-3.1-8b", "llama"),
        ("llama-2-70b", "llama"),
        ("mistral-7b", "llama"),
        ("mixtral-8x7b", "llama"),
        ("qwen2.5-7b", "qwen2"),
        ("qwen3-8b", "qwen3"),
        ("gemma-2-9b", "gemma2"),
    ],
)
def test_the_gguf_of_a_catalog_model_is_that_model(name: str, architecture: str) -> None:
    known = yaml.safe_load((ROOT / "workloads" / "models" / f"{name}.yaml").read_text())
    found, warnings = to_model(header(*described(known, architecture)))
    adapter = TypeAdapter(Model)
    model, expected = adapter.validate_python(found), adapter.validate_python(known)
    assert parameters(model) == parameters(expected)
    for part in ("layers", "hidden", "vocab", "max_context", "ffn", "attention", "moe", "tied_embeddings", "bias"):
        assert getattr(model, part) == getattr(expected, part), part
    assert not [text for text in warnings if "parameters" in text or "not understood" in text]
    assert [text for text in warnings if "mostly Q4_K, 4.5 bits" in text]


def test_a_tiny_file_becomes_a_model(tmp_path: Path) -> None:
    file = tmp_path / "tiny-model.Q4_K.gguf"
    file.write_bytes(gguf_bytes(*tiny()))
    document, warnings = to_model(gguf.read_header(file))
    assert document["name"] == "tiny-model.Q4_K"
    assert document["family"] == "llama"
    assert str(file)[-30:] in document["sources"]["all"]
    assert len(warnings) == 1
    found = gguf.exact_bytes(file)
    assert found.parameters == parameters(TypeAdapter(Model).validate_python(document)) + 32
    linear = 2 * (256 * 256 * 2 + 256 * 128 * 2 + 3 * 256 * 512)
    assert (found.linear_parameters, found.linear_bytes) == (linear, linear * 144 // 256)
    assert found.bytes_by_dtype["Q6_K"] == 2 * 256 * 512 * 210 // 256


@pytest.mark.parametrize(("kind", "dtype"), [("F16", "fp16"), ("BF16", "bf16"), ("F32", "fp32")])
def test_the_dtype_of_unquantized_weights_is_kept(kind: str, dtype: str) -> None:
    document, warnings = to_model(header(*described(TINY, "llama", kind)))
    assert document["dtype"] == dtype
    assert warnings == ()


def test_embeddings_are_tied_where_there_is_no_output() -> None:
    metadata, tensors = tiny()
    assert to_model(header(metadata, tensors))[0]["tied_embeddings"] is False
    del tensors["output.weight"]
    assert to_model(header(metadata, tensors))[0]["tied_embeddings"] is True


def changed(**keys: Any) -> GgufHeader:
    """The tiny header with keys replaced; None removes one, and ``__`` stands for a dot."""
    metadata, tensors = tiny()
    metadata |= {"llama." + key.replace("__", "."): item for key, item in keys.items()}
    return header({key: item for key, item in metadata.items() if item is not None}, tensors)


def test_absent_keys_are_derived_as_llama_cpp_does() -> None:
    absent = changed(attention__key_length=None, attention__value_length=None, vocab_size=None)
    assert to_model(absent) == to_model(changed())
    uniform = changed(attention__head_count_kv=GgufArray(2, (2, 2)))
    assert to_model(uniform) == to_model(changed())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"block_count": None}, "llama.block_count: is missing"),
        ({"block_count": 0}, "at least 1"),
        ({"block_count": "two"}, "whole number"),
        ({"block_count": True}, "whole number"),
        ({"block_count": float("nan")}, "whole number"),
        ({"embedding_length": 128}, "contradicts embedding_length"),
        ({"attention__head_count": 3, "attention__key_length": None}, "do not divide"),
        ({"attention__head_count": 8}, "contradicts the metadata"),
        ({"attention__head_count_kv": 3}, "does not divide heads"),
        ({"attention__head_count_kv": GgufArray(2, (2, 1))}, "differs between layers"),
        ({"attention__head_count_kv": GgufArray(9999, None)}, "differs between layers"),
        ({"attention__value_length": 32}, "differs from the key width"),
        ({"feed_forward_length": 1024}, "contradicts the metadata"),
        ({"expert_count": 8}, "expert_used_count: is missing"),
    ],
)
def test_wrong_metadata_are_refused(keys: dict[str, Any], said: str) -> None:
    assert said in refused(to_model, changed(**keys))


def test_all_faults_are_named_at_once() -> None:
    text = refused(to_model, changed(block_count=None, context_length=None, embedding_length=None))
    assert all(key in text for key in ("block_count", "context_length", "embedding_length"))


def test_doubts_are_warned_of() -> None:
    text = " ".join(to_model(changed(vocab_size=500, expert_group_count=1, attention__sliding_window=64))[1])
    assert "500 differs from the 512" in text
    assert "llama.expert_group_count: not understood" in text
    assert "last 64 tokens" in text
    assert "but its metadata describe" in " ".join(to_model(changed(block_count=3))[1])


def test_other_architectures_and_vocabularies_are_refused() -> None:
    metadata, tensors = tiny()
    text = refused(to_model, header({**metadata, "general.architecture": "qwen"}, tensors))
    assert "allowed: llama, qwen2, qwen3, gemma2" in text
    assert "did you mean qwen" in text
    assert "is missing" in refused(to_model, header({}, tensors))
    assert "not supported" in refused(to_model, header({"general.architecture": 7}, tensors))
    assert "vocabulary" in refused(to_model, header(metadata, {}))
    qwen = {key.replace("llama.", "qwen2."): item for key, item in metadata.items()}
    experts = {**qwen, "general.architecture": "qwen2", "qwen2.expert_count": 8, "qwen2.expert_used_count": 2}
    assert "modelled as dense" in refused(to_model, header(experts, tensors))


# -- estimates from files


def test_a_gguf_file_is_estimated_by_path_with_the_bits_of_its_tensors(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(gguf_bytes(*tiny()))
    result = llmperf.estimate(model=str(file), hardware="m2-ultra", input=16, output=8)
    assert result.scenario.weights.bits == 4.5
    assert result.memory.weights == pytest.approx(gguf.exact_bytes(file).bytes, rel=0.02)
    other = llmperf.estimate(model=str(file), hardware="m2-ultra", weights="bf16", input=16, output=8)
    assert other.memory.weights > 3 * result.memory.weights
    file.write_bytes(b"GGUF and nothing more")
    with pytest.raises(InputError, match=r"tiny\.gguf"):
        llmperf.estimate(model=str(file), hardware="m2-ultra", input=16, output=8)


def small(folder: Path, layers: int = 2) -> None:
    """A configuration of a model of some million parameters."""
    source = json.loads((ROOT / "tests" / "data" / "huggingface" / "Llama-3.1-8B.json").read_text())
    sizes = {"hidden_size": 256, "intermediate_size": 512, "vocab_size": 1000, "head_dim": 8}
    (folder / "config.json").write_text(json.dumps({**source, **sizes, "num_hidden_layers": layers}))


@pytest.mark.parametrize(
    ("files", "whole"),
    [
        ({"model.safetensors": ("BF16", (100, 100))}, False),
        ({"model.safetensors": ("U8", (300, 1000))}, True),  # four bits and narrower are packed
        ({"model.safetensors": ("U8", (100, 100))}, False),
        ({"model-00001-of-00002.safetensors": ("BF16", (100, 100))}, True),  # a part that says that it is one
    ],
)
def test_a_checkpoint_far_smaller_than_its_configuration_is_refused(
    files: dict[str, tuple[str, tuple[int, ...]]], whole: bool, tmp_path: Path
) -> None:
    small(tmp_path)
    for name, tensor in files.items():
        write_safetensors(tmp_path / name, {"a": tensor})
    if whole:
        assert llmperf.estimate(model=str(tmp_path), hardware="h100-sxm").warnings
        return
    with pytest.raises(InputError) as caught:
        llmperf.estimate(model=str(tmp_path), hardware="h100-sxm")
    (problem,) = caught.value.problems
    assert problem.file == str(tmp_path / "config.json")
    assert "far less than" in problem.message


def test_safetensors_beside_a_configuration_are_summed_up(tmp_path: Path) -> None:
    small(tmp_path)
    write_safetensors(tmp_path / "model.safetensors", {"a": ("BF16", (1000, 1000)), "b": ("F32", (10,))})
    result = llmperf.estimate(model=str(tmp_path), hardware="h100-sxm")
    assert any("0.002 GB in 2 tensors" in warning for warning in result.warnings)
    (tmp_path / "model.safetensors").write_bytes(b"not a checkpoint at all")
    again = llmperf.estimate(model=str(tmp_path), hardware="h100-sxm")
    assert any("not read" in warning for warning in again.warnings)
