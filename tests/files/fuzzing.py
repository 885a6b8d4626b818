"""Inputs that are nearly right: good files of every reader with some of their parts replaced, removed or moved.

`test_fuzz.py` runs a few of each in the test suite; ``make fuzz`` runs as many as ``LLMPERF_FUZZ`` says.
"""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from importers import binaries

from calling import called
from llmperf.checks.lock import LOCK
from llmperf.scenarios import catalog

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
MEASURED = ROOT / "workloads" / "published" / "data"

HUGE = 10**400
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, HUGE, -HUGE, 0.5, -0.0, 5e-324, 1e-310, 1e308, -1e308,
    float("inf"), float("-inf"), float("nan"), "", " ", "0", "-1", "1e400", "nan", "x", "=1+1", "a.b", "é\u202e\x9b",
    "\x1b[31m", "x" * 5000, "../../etc/passwd", "h100-sxm", "llama-3.1-8b", "8 GB", "1 TB/s", "${X:-1}", "2026-13-45",
    [], {}, [[]], [None], [1, "x"], {"a": 1}, {"extends": "x"}, {"": None}, {"max": float("nan")},
)  # fmt: skip
"""What takes the place of a part: every type, and numbers and texts at their edges."""


@dataclass(frozen=True)
class Reader:
    """A kind of file, and the commands that read it.

    Attributes
    ----------
    seeds : callable
        Good files, as data or text.
    file : str
        The name under which it is read.
    commands : sequence of tuple of str
        What reads it; ``{file}`` stands for its path.
    beside : callable, optional
        Writes what the commands need besides, into a folder.
    binary : callable, optional
        What makes the bytes of a file of spoiled data, where it is no text.
    """

    seeds: Callable[[], Sequence[Any]]
    file: str
    commands: Sequence[tuple[str, ...]]
    beside: Callable[[Path], None] | None = None
    binary: Callable[[Any], bytes] | None = None


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place within nested data: what holds it, and its key or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from parts(inner)


def spoiled(seed: Any, chance: random.Random) -> Any:
    """Data with one to four of its parts changed."""
    whole = {"": copy.deepcopy(seed)}
    for _ in range(chance.randint(1, 4)):
        places = list(parts(whole))
        holder, key = chance.choice(places[1:] or places)
        kind = chance.random()
        if kind < 0.6:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        elif kind < 0.75 and len(places) > 1:
            del holder[key]
        elif kind < 0.9:
            other, name = chance.choice(places)
            holder[key] = copy.deepcopy(other[name])
        elif isinstance(holder, dict):
            holder[str(chance.choice(VALUES))[:40]] = holder[key]
        else:
            holder.append(copy.deepcopy(chance.choice(VALUES)))
    return whole.get("")


def spoiled_text(seed: str, chance: random.Random) -> str:
    """A text with some words, lines or characters changed."""
    lines = seed.split("\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        words = lines[at].split(" ")
        kind = chance.random()
        if kind < 0.5:
            words[chance.randrange(len(words))] = str(chance.choice(VALUES))[:400]
            lines[at] = " ".join(words)
        elif kind < 0.65:
            lines[at] = lines[at][: chance.randint(0, len(lines[at]))]
        elif kind < 0.8:
            lines.insert(at, lines[chance.randrange(len(lines))])
        else:
            lines[at] += chance.choice(("'", '"', "\\", "$(", "`", "{", "[", ":", "&", "*", "\t", "\r", "#", "<<EOF"))
    return "\n".join(lines)


def spoiled_bytes(content: bytes, chance: random.Random) -> bytes:
    """Bytes that in half of the cases stay, and else have some changed, are cut or go on."""
    out = bytearray(content)
    for _ in range(chance.choice((0, 0, 1, 3))):
        kind = chance.random()
        if kind < 0.6 and out:
            at = chance.randrange(min(len(out), 4096))  # where headers are
            out[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind < 0.8:
            del out[chance.randint(0, len(out)) :]
        else:
            out += bytes(chance.randint(1, 64))
    return bytes(out)


def spoiled_table(seed: list[list[str]], chance: random.Random) -> list[list[str]]:
    """A table without a column, or with some cells changed."""
    rows = copy.deepcopy(seed)
    for _ in range(chance.randint(1, 4)):
        column = chance.randrange(len(rows[0]))
        if chance.random() < 0.25 and len(rows[0]) > 1:
            for row in rows:
                del row[column]
        else:
            chance.choice(rows[1:])[column] = str(chance.choice(VALUES))[:400]
    return rows


def written(seed: Any, name: str, chance: random.Random) -> str:
    """A spoiled file as text."""
    if isinstance(seed, str):
        return spoiled_text(seed, chance)
    if name.endswith(".csv"):
        out = io.StringIO()
        csv.writer(out).writerows(spoiled_table(seed, chance))
        return out.getvalue()
    data = spoiled(seed, chance)
    text: str = json.dumps(data) if name.endswith(".json") else yaml.safe_dump(data, allow_unicode=True)
    return text


def tried(reader: Reader, seed: int, folder: Path) -> list[str]:
    """What is wrong with the answers to one spoiled file: nothing, or the command and what it printed."""
    chance = random.Random(seed)
    file = folder / reader.file
    file.parent.mkdir(parents=True, exist_ok=True)
    seeds = reader.seeds()
    if reader.binary is not None:
        file.write_bytes(spoiled_bytes(reader.binary(spoiled(chance.choice(seeds), chance)), chance))
    else:
        file.write_text(written(chance.choice(seeds), reader.file, chance), "utf-8", "surrogatepass", newline="")
    if reader.beside is not None:
        reader.beside(folder)
    return [fault for command in reader.commands if (fault := _fault(command, folder, reader.file))]


def _fault(command: tuple[str, ...], folder: Path, name: str) -> str:
    done = called(*(word.format(file=name) for word in command), cwd=folder)
    said = f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-500:]}\n{done.stderr[-3000:]}"
    if "Traceback" in done.stderr or done.returncode not in (0, 1, 2):
        return said
    if done.returncode == 2 and not (done.stderr or done.stdout):
        return said
    if "--json" in command:
        try:
            json.loads(done.stdout, parse_constant=_no_number)
        except ValueError as error:
            return f"{error}: {said}"
    return ""


def _no_number(name: str) -> float:
    raise ValueError(f"{name} in JSON")


def _descriptors(kind: str, *names: str) -> Callable[[], list[Any]]:
    return lambda: [yaml.safe_load(catalog.find(kind, name).read_text()) for name in names]


def _json_files(folder: str, *names: str) -> Callable[[], list[Any]]:
    return lambda: [json.loads((DATA / folder / name).read_text()) for name in names]


def _texts(folder: str, *endings: str) -> Callable[[], list[str]]:
    return lambda: [path.read_text() for path in sorted((DATA / folder).iterdir()) if path.name.endswith(endings)]


def _number(item: Any, most: int) -> int:
    """What stands in a field of a binary header: as much of a number as the field holds."""
    try:
        return int(item) % (most + 1)
    except (TypeError, ValueError, OverflowError):
        return most


def _metadata(item: Any) -> bytes:
    """A metadata value; of what has no type there, one that the format does not know."""
    try:
        return binaries.value(item)
    except (TypeError, AttributeError, struct.error, OverflowError, UnicodeError):
        return struct.pack("<IQ", 250, 2**63)


def _gguf(data: Any) -> bytes:
    """A GGUF file of its version, metadata and tensors, whatever they are."""
    data = data if isinstance(data, dict) else {}
    metadata, tensors = data.get("metadata"), data.get("tensors")
    metadata = metadata if isinstance(metadata, dict) else {}
    tensors = tensors if isinstance(tensors, dict) else {}
    version = _number(data.get("version"), 2**32 - 1)
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, item in metadata.items():
        out += binaries.string(str(key).encode("utf-8", "replace")) + _metadata(item)
    offset = 0
    for name, said in tensors.items():
        dtype, dims = said if isinstance(said, list) and len(said) == 2 else ("F32", said)
        sizes = [_number(one, 2**64 - 1) for one in (dims if isinstance(dims, list) else [dims])]
        kind = binaries.TYPES[dtype][0] if isinstance(dtype, str) and dtype in binaries.TYPES else 99
        out += binaries.string(str(name).encode("utf-8", "replace"))
        out += struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)
        offset += 2**17
    return out + bytes(-len(out) % 32) + bytes(min(offset, 2**23))


def _gguf_files() -> list[Any]:
    metadata, tensors = binaries.tiny()
    plain = {name: [dtype, list(dims)] for name, (dtype, dims) in tensors.items()}
    return [{"version": 3, "metadata": metadata, "tensors": plain}]


def _safetensors(data: Any) -> bytes:
    """A safetensors file of a header, whatever it is, with as many bytes as a good one has."""
    text = json.dumps(data).encode()
    return struct.pack("<Q", len(text)) + text + bytes(2**16)


def _safetensors_headers() -> list[Any]:
    tensors = {
        "model.embed_tokens.weight": ("BF16", (128, 64)),
        "lm_head.weight": ("F16", (128, 64)),
        "n": ("F32", (64,)),
    }
    return [{"__metadata__": {"format": "pt"}, **binaries.entries(tensors)}]


def _configuration(folder: Path) -> None:
    """A small configuration beside a checkpoint."""
    source = json.loads((DATA / "huggingface" / "Llama-3.1-8B.json").read_text())
    sizes = {"hidden_size": 64, "intermediate_size": 64, "vocab_size": 128, "head_dim": 2, "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps({**source, **sizes}))


def _table(name: str, rows: int = 5) -> Callable[[], list[list[list[str]]]]:
    def read() -> list[list[list[str]]]:
        with gzip.open(MEASURED / f"{name}.csv.gz", "rt", newline="") as stream:
            found = csv.reader(stream)
            head, body = next(found), list(found)
        step = max(1, len(body) // 40)
        return [[head, *body[at : at + rows]] for at in range(0, len(body), step)]

    return read


_printed: list[Any] = []


def _answers() -> list[Any]:
    if not _printed:
        _printed.append(json.loads(called("estimate", "--model", "gpt2", "--hardware", "l40s", "--json").stdout))
    return _printed


def _other_answer(folder: Path) -> None:
    (folder / "other.json").write_text(json.dumps(_answers()[0]))


CHECK = {"model": "gpt2", "hardware": "l40s", "expect": {"fits": True, "tpot_s": {"max": "1 s"}}, "tolerance": 0.02}
CHECKS = {
    "schema_version": 1,
    "variables": {"size": 8},
    "matrix": {"batch": [1, "${size}"], "hardware": ["l40s", "h100-sxm"]},
    "checks": {"a": {"model": "gpt2", "workload": {"batch": "${batch}"}, "expect": {"fits": True}, "tags": ["x"]}},
}
_locks: list[Any] = []


def _lock_files() -> list[Any]:
    if not _locks:
        import tempfile

        with tempfile.TemporaryDirectory() as made:
            _check_file(Path(made))
            called("check", "--update", cwd=Path(made))
            _locks.append(yaml.safe_load((Path(made) / LOCK).read_text()))
    return _locks


def _check_file(folder: Path) -> None:
    (folder / "c.llmperf.yaml").write_text(yaml.safe_dump(CHECK))


_SCENARIO = {
    "model": "mixtral-8x7b",
    "hardware": {"extends": "h100-sxm", "tiers": {"hbm3": {"bandwidth": "3 TB/s"}}},
    "weights": "fp8",
    "kv_cache": {"extends": "fp8"},
    "engine": {"extends": "vllm", "token_budget": 4096},
    "parallelism": {"tp": 2, "ep": 2},
    "placement": {"tiers": ["hbm3"], "reserve": "2 GiB"},
    "workload": {"batch": 8, "input": 512, "output": 64},
    "prices": {"rent": 2.5, "kind": "list", "date": "2026-01-01"},
}

READERS: dict[str, Reader] = {
    "scenario": Reader(
        lambda: [_SCENARIO], "s.yaml", [("estimate", "{file}"), ("estimate", "{file}", "--json"), ("show", "{file}")]
    ),
    "scenario-json": Reader(lambda: [_SCENARIO], "s.json", [("memory", "{file}", "--json"), ("ops", "{file}")]),
    "scenario-text": Reader(
        lambda: [yaml.safe_dump(_SCENARIO)], "s.yaml", [("estimate", "{file}"), ("roofline", "{file}", "--json")]
    ),
    "hardware": Reader(
        _descriptors("hardware", "h100-sxm", "upmem-2560", "pi5-cluster", "mi300x", "epyc-9654"),
        "cat/hardware/chips/hw.yaml",
        [
            ("show", "hw", "--catalog", "cat"),
            ("show", "hw", "--catalog", "cat", "--json"),
            ("list", "hardware", "--catalog", "cat", "--json"),
            ("estimate", "--model", "gpt2", "--hardware", "hw", "--catalog", "cat", "--json"),
        ],
    ),
    "traffic": Reader(
        _descriptors("traffic", "azure-code-2023", "agentic-codex"),
        "w.yaml",
        [("estimate", "--model", "gpt2", "--hardware", "h100-sxm", "--traffic", "./{file}", "--rate", "2", "--json")],
    ),
    "model": Reader(
        _descriptors("model", "llama-3.1-8b", "deepseek-v3", "mixtral-8x7b"),
        "m.yaml",
        [("show", "{file}", "--kind", "model", "--json"), ("estimate", "--model", "./{file}", "--hardware", "l40s")],
    ),
    "configuration": Reader(
        _json_files("huggingface", "Llama-3.1-8B.json", "DeepSeek-V3.json", "Jamba-v0.1.json", "GLM-4.5.json"),
        "config.json",
        [("estimate", "--model", "./{file}", "--hardware", "h100-sxm", "--json")],
    ),
    "printed": Reader(
        _answers,
        "a.json",
        [("diff", "{file}", "other.json"), ("diff", "other.json", "{file}", "--json")],
        _other_answer,
    ),
    "checks": Reader(
        lambda: [CHECK, CHECKS],
        "c.llmperf.yaml",
        [("check", "{file}"), ("check", "{file}", "--json"), ("check", "{file}", "--format", "junit")],
    ),
    "lock": Reader(
        _lock_files,
        LOCK,
        [("check",), ("check", "--json"), ("diff", "c.llmperf.yaml", "{file}", "--json"), ("check", "--update")],
        _check_file,
    ),
    "runs": Reader(
        lambda: [json.loads(path.read_text().splitlines()[0] if path.suffix == ".jsonl" else path.read_text())
                 for path in sorted((DATA / "runs").glob("*.json*"))],
        "run.json",
        [("compare", "--measured", "{file}", "--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--json")],
    ),
    "run-texts": Reader(
        _texts("runs", ".md", ".csv", ".txt", ".log"),
        "run.txt",
        [("compare", "--measured", "{file}", "--hardware", "h100-sxm", "--model", "llama-3.1-8b")],
    ),
    "trace-tables": Reader(_texts("traces", ".csv"), "t.csv", [("traffic", "{file}", "--json"), ("traffic", "{file}")]),
    "trace-lines": Reader(_texts("traces", ".jsonl"), "t", [("traffic", "{file}"), ("traffic", "{file}", "--json")]),
    "trace-records": Reader(
        lambda: [*_json_files("traces", "sharegpt.json")(),
                 *([json.loads(line) for line in path.read_text().splitlines()]
                   for path in sorted((DATA / "traces").glob("*.jsonl")))],
        "t.json",
        [("traffic", "{file}", "--chars-per-token", "4"), ("traffic", "{file}", "--chars-per-token", "4", "--json")],
    ),
    "deployment-yaml": Reader(
        _texts("deployments", ".yaml"),
        "d.yaml",
        [("check", "--from", "{file}", "--json"), ("check", "--from", "{file}")],
    ),
    "deployment-json": Reader(
        _json_files("deployments", "deepspeed.json", "vllm-args.json"),
        "d.json",
        [("check", "--from", "{file}", "--json")],
    ),
    "deployment-script": Reader(_texts("deployments", ".sh"), "d.sh", [("check", "--from", "{file}", "--json")]),
    "deployment-toml": Reader(_texts("deployments", ".toml"), "d.toml", [("check", "--from", "{file}", "--json")]),
    "gguf": Reader(
        _gguf_files,
        "m.gguf",
        [("memory", "--model", "./{file}", "--hardware", "m2-ultra", "--input", "16", "--output", "8", "--json")],
        binary=_gguf,
    ),
    "safetensors": Reader(
        _safetensors_headers,
        "model.safetensors",
        [("memory", "--model", "./config.json", "--hardware", "l40s", "--json")],
        _configuration,
        _safetensors,
    ),
    "claims": Reader(
        lambda: [yaml.safe_load(path.read_text()) for path in list(catalog.files("published").values())[:3]],
        "claims.yaml",
        [("validate", "--claims", "{file}", "--json")],
    ),
} | {
    f"table-{path.name.removesuffix('.csv.gz')}": Reader(
        _table(path.name.removesuffix(".csv.gz")),
        "d.csv",
        [("validate", "--data", "{file}", "--json"), ("validate", "--data", "{file}", "--max-error", "0.1")],
    )
    for path in sorted(MEASURED.glob("*.csv.gz"))
}  # fmt: skip
"""Every kind of file that is read."""
