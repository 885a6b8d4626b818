"""Writers of safetensors and GGUF files, and the tensors of a model as llama.cpp's converter writes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from llmperf.importers import safetensors
from llmperf.importers.gguf import GGML_TYPES

TYPES = {name: (number, block, size) for number, (name, block, size) in GGML_TYPES.items()}
U8, I32, F32, BOOL, STRING, ARRAY, U64 = 0, 5, 6, 7, 8, 9, 10


def entries(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    """The header of `tensors`, laid out one after the other."""
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + prod(shape) * safetensors.BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    return header


def safetensors_bytes(header: Any, data: int | None = None) -> bytes:
    """A whole file; `header` may be text that is no JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    if data is None:
        data = max((e["data_offsets"][1] for n, e in header.items() if n != "__metadata__"), default=0)
    return struct.pack("<Q", len(text)) + text + bytes(data)


def write_safetensors(path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> Path:
    path.write_bytes(safetensors_bytes({"__metadata__": {"format": "pt"}, **entries(tensors)}))
    return path


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value(item: Any) -> bytes:
    """A metadata value with its type; a `bytes` item is already encoded."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, bool):
        return struct.pack("<I?", BOOL, item)
    if isinstance(item, int):
        return struct.pack("<IQ", U64, item)
    if isinstance(item, float):
        return struct.pack("<If", F32, item)
    if isinstance(item, str):
        return struct.pack("<I", STRING) + string(item)
    inner = [value(part) for part in item]
    kind = inner[0][:4] if inner else struct.pack("<I", U8)
    return struct.pack("<I", ARRAY) + kind + struct.pack("<Q", len(inner)) + b"".join(part[4:] for part in inner)


def size_of(dtype: str, dims: tuple[int, ...]) -> int:
    _, block, size = TYPES[dtype]
    return prod(dims) // block * size


def gguf_bytes(
    metadata: Mapping[str, Any], tensors: Mapping[str, tuple[str, tuple[int, ...]]], version: int = 3
) -> bytes:
    align = metadata.get("general.alignment", 32)
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, item in metadata.items():
        out += string(key) + value(item)
    offset = 0
    for name, (dtype, dims) in tensors.items():
        out += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, TYPES[dtype][0], offset)
        offset += -(-size_of(dtype, dims) // align) * align
    return out + bytes(-len(out) % align) + bytes(offset)


def block(model: Mapping[str, Any], number: int, kind: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Tensors of one block, as llama.cpp's converter names them."""
    attention, hidden = model["attention"], model["hidden"]
    q, kv = (attention[heads] * attention["head_dim"] for heads in ("heads", "kv_heads"))
    shapes: dict[str, tuple[int, ...]] = {
        "attn_q.weight": (hidden, q), "attn_k.weight": (hidden, kv), "attn_v.weight": (hidden, kv),
        "attn_output.weight": (q, hidden), "attn_norm.weight": (hidden,), "ffn_norm.weight": (hidden,),
    }  # fmt: skip
    if model.get("norms_per_layer") == 4:
        shapes |= {"post_attention_norm.weight": (hidden,), "post_ffw_norm.weight": (hidden,)}
    if attention.get("qk_norm"):
        shapes |= {f"attn_{name}_norm.weight": (attention["head_dim"],) for name in "qk"}
    if (model.get("bias") or {}).get("qkv"):
        shapes |= {"attn_q.bias": (q,), "attn_k.bias": (kv,), "attn_v.bias": (kv,)}
    if moe := model.get("moe"):
        wide = (hidden, moe["expert_ffn"], moe["experts"])
        shapes |= {"ffn_gate_inp.weight": (hidden, moe["experts"]), "ffn_gate_exps.weight": wide}
        shapes |= {"ffn_up_exps.weight": wide, "ffn_down_exps.weight": (wide[1], wide[0], wide[2])}
    else:
        shapes |= {f"ffn_{name}.weight": (hidden, model["ffn"]) for name in ("gate", "up")}
        shapes |= {"ffn_down.weight": (model["ffn"], hidden)}
    plain = ("norm", "bias", "inp")
    return {f"blk.{number}.{n}": ("F32" if any(p in n for p in plain) else kind, s) for n, s in shapes.items()}


def described(
    model: Mapping[str, Any], architecture: str, kind: str = "Q4_K"
) -> tuple[dict[str, Any], dict[str, tuple[str, tuple[int, ...]]]]:
    """Metadata and tensors of a model document, as llama.cpp's converter writes them."""
    attention, moe = model["attention"], model.get("moe")
    keys = {
        "block_count": model["layers"],
        "context_length": model["max_context"],
        "embedding_length": model["hidden"],
        "feed_forward_length": moe["expert_ffn"] if moe else model["ffn"],
        "attention.head_count": attention["heads"],
        "attention.head_count_kv": attention["kv_heads"],
        "attention.key_length": attention["head_dim"],
        "attention.value_length": attention["head_dim"],
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": attention["head_dim"],
        "vocab_size": model["vocab"],
    }
    if moe:
        keys |= {"expert_count": moe["experts"], "expert_used_count": moe["top_k"]}
    if attention.get("window"):
        keys["attention.sliding_window"] = attention["window"]
    table = (model["hidden"], model["vocab"])
    tensors = {"token_embd.weight": ("Q6_K", table), "output_norm.weight": ("F32", (model["hidden"],))}
    tensors |= {} if model.get("tied_embeddings") else {"output.weight": ("Q6_K", table)}
    tensors["rope_freqs.weight"] = ("F32", (attention["head_dim"] // 2,))
    for number in range(model["layers"]):
        tensors |= block(model, number, kind)
    return {"general.architecture": architecture, **{f"{architecture}.{k}": v for k, v in keys.items()}}, tensors


TINY = {
    "layers": 2, "hidden": 256, "vocab": 512, "max_context": 128, "ffn": 512,
    "attention": {"heads": 4, "kv_heads": 2, "head_dim": 64},
}  # fmt: skip


def tiny() -> tuple[dict[str, Any], dict[str, tuple[str, tuple[int, ...]]]]:
    return described(TINY, "llama")
