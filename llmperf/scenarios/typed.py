"""Hardware as people type it: ``2x rtx 4090``, ``H100 80GB SXM``, ``NVIDIA GeForce RTX 4090``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from llmperf import units
from llmperf.errors import InputError
from llmperf.files.store import is_path
from llmperf.scenarios import catalog

_COUNT = (
    re.compile(r"(?P<count>\d{1,4})\s*[x×*]\s*(?P<one>\S.*)", re.ASCII | re.IGNORECASE),
    re.compile(r"(?P<one>.+?)[\s_-]*[x×*]\s*(?P<count>\d{1,4})", re.ASCII | re.IGNORECASE),
)
_SILENT = (
    *("nvidia", "geforce", "tesla", "quadro", "amd", "instinct", "radeon", "intel", "apple", "google", "huawei"),
    *("gpu", "gpus", "card", "cards", "accelerator", "graphics", "generation", "tensor", "core", "oam", "with", "of"),
)
"""Words that tell no product of the catalog from another."""
_MEMORY = re.compile(r"(?:hbm|gddr|lpddr|ddr)\d\w{0,2}", re.ASCII)
_CAPACITY = re.compile(r"(\d+)g(?:i?b)?", re.ASCII)
TOLERANCE = 0.06
"""A capacity in GB of 1e9 bytes may be meant in GiB, or without what ECC takes."""


def counted(given: Mapping[str, Any], extra: tuple[str, ...]) -> dict[str, Any]:
    """A scenario whose hardware comes with a number, ``8xH100``, as hardware that has so many devices.

    All of them are used where no layout is given, as of any system.
    """
    data = dict(given)
    hardware = data.get("hardware")
    reference = hardware.get("extends") if isinstance(hardware, Mapping) else hardware
    if not isinstance(reference, str):
        return data
    match = next((found for one in _COUNT if (found := one.fullmatch(reference.strip()))), None)
    if match is None:
        return data
    held = None if _known(reference, extra) else _held(match["one"], extra)
    if held is not None:
        own = dict(hardware) if isinstance(hardware, Mapping) else {}
        count = int(match["count"])
        data["hardware"] = {"count": count, "devices": count * held, **own, "extends": match["one"].strip()}
    return data


def _known(reference: str, extra: tuple[str, ...]) -> bool:
    try:
        catalog.find("hardware", reference, extra)
    except InputError:
        return False
    return True


def _held(reference: str, extra: tuple[str, ...]) -> int | None:
    """Devices of a chip (one) or system of the catalog; None where it is not known."""
    if is_path(reference):
        return None
    name = reference if _known(reference, extra) else hardware_named(reference, extra)
    if name is None:
        return None
    held = catalog.load("hardware", name, extra).data.get("devices")
    return held if isinstance(held, int) else 1


def hardware_given(reference: str, extra: tuple[str, ...] = ()) -> str | None:
    """The hardware of the catalog that is meant, with its number where that is said: ``8xH100``; never a path."""
    found = hardware_named(reference, extra)
    if found is None and any(one.fullmatch(reference.strip()) for one in _COUNT):
        return reference if counted({"hardware": reference}, extra)["hardware"] != reference else None
    return found


ENGINES: dict[str, tuple[tuple[tuple[int, int], str], ...]] = {
    "vllm": (((0, 21), "vllm-2026"), ((0, 8), "vllm"), ((0, 3), "vllm-2024"), ((0, 0), "vllm-2023")),
    "sglang": (((0, 0), "sglang"),),
    "tensorrt-llm": (((0, 17), "tensorrt-llm"), ((0, 9), "tensorrt-llm-2024"), ((0, 0), "tensorrt-llm-2023")),
}
"""First version of a tool, and the engine of the catalog whose constants hold from it on (see the engines' sources)."""
_TOOLS = {
    "trtllm": "tensorrt-llm",
    "trt-llm": "tensorrt-llm",
    "tensorrt-llm": "tensorrt-llm",
    "tensorrtllm": "tensorrt-llm",
}
_VERSIONED = re.compile(r"([a-z][a-z-]*?)[-:@=_ ]*v?(\d+)\.(\d+)(?:[.\d]|post|rc)*", re.ASCII)


def engine_named(reference: str) -> str | None:
    """The engine of the catalog for a tool and its version: ``vllm-0.10.2``, ``vllm:v0.9``, ``trtllm 1.0``."""
    match = _VERSIONED.fullmatch(reference.strip().lower())
    if match is None:
        return None
    engines = ENGINES.get(_TOOLS.get(match[1], match[1]), ())
    return next((name for first, name in engines if (int(match[2]), int(match[3])) >= first), None)


def hardware_named(reference: str, extra: tuple[str, ...] = ()) -> str | None:
    """The hardware of the catalog whose name has the same words, vendors and kinds of memory aside.

    A capacity must be that of its memory. None where there is no such hardware, or more than one.
    """
    asked, capacity = _words(reference)
    if not asked:
        return None
    names, aliases = catalog.paths("hardware", extra), catalog.aliases("hardware", extra)
    known = _by_words(tuple(names), tuple(aliases.items()))
    alike = known.get(asked) or known.get(
        asked - {"pcie"}, ()
    )  # that of cards which have nothing else need not be said
    found = [name for name in alike if capacity is None or _has(name, capacity, extra)]
    return found[0] if len(found) == 1 else None


def hardware_described(reference: str, extra: tuple[str, ...] = ()) -> str | dict[str, Any] | None:
    """The hardware that a description means: as `hardware_named`, or a configuration of it.

    A chip with a number of GPU cores (``M2 Max 38-core GPU``, ``M4 Max - 16 CPU / 40 GPU / 64 GB``), a system on a chip
    with one of its memories (``M4 Pro 24GB``), a card before its host (``RTX 5070 12GB / Intel Core i9``).

    Returns
    -------
    str, dict or None
        A name of the catalog, or a mapping that extends one; None where nothing is meant.
    """
    found = hardware_named(reference, extra) or _configured(reference, extra)
    if found is not None or _HOST not in reference:
        return found
    return hardware_described(reference.partition(_HOST)[0], extra)


_HOST = " / "
"""What stands between a card and its host."""
_PART_CORES = r"\b(\d{1,3})[\s-]*(?:cores?[\s-]*)?%s(?:[\s-]*cores?)?\b"
_GPU_CORES, _CPU_CORES = (re.compile(_PART_CORES % part, re.ASCII | re.IGNORECASE) for part in ("gpu", "cpu"))
_RATE = re.compile(r"\(?\b\d+\s*gb/s\)?", re.ASCII | re.IGNORECASE)
_LEAST_BIN = 0.3
"""Least share of a chip's cores that is sold by its name."""


def _configured(reference: str, extra: tuple[str, ...]) -> dict[str, Any] | None:
    """A system on a chip with a number of GPU cores, or with less memory than it may have; None where it is none."""
    cores = _GPU_CORES.search(reference)
    if cores is None and "cpu" in reference.lower():  # its processor is meant
        return None
    rest = _RATE.sub(" ", _CPU_CORES.sub(" ", _GPU_CORES.sub(" ", reference)))
    asked, capacity = _words(rest)
    if not asked or (cores is None and capacity is None):
        return None
    alike = _by_words(tuple(catalog.paths("hardware", extra)), tuple(catalog.aliases("hardware", extra).items()))
    found = alike.get(asked, ())
    if len(found) != 1:
        return None
    name, count = found[0], float(cores[1]) if cores else None
    if count is not None and (binned := f"{name}-{count:.0f}c") in catalog.paths("hardware", extra):
        name, count = binned, None
    return _bin(name, catalog.load("hardware", name, extra).data, count, capacity)


def _bin(name: str, chip: Mapping[str, Any], cores: float | None, capacity: float | None) -> dict[str, Any] | None:
    """A chip with other cores, whose rates go with their number, and another memory; None where there is none such."""
    own: dict[str, Any] = {"extends": name}
    if chip.get("kind") != "soc":
        return None
    if cores is not None:
        share = cores / float(chip["cores"]) if chip.get("cores") else 0.0
        if not _LEAST_BIN <= share <= 1.0:
            return None
    if cores is not None and share < 1.0:
        own["name"], own["cores"] = f"{name}-{cores:.0f}c", cores
        own["engines"] = {
            key: {"peaks": {dtype: units.parse(rate, "compute") * share for dtype, rate in engine["peaks"].items()}}
            for key, engine in chip["engines"].items()
        }
    if capacity is not None:
        tier, main = next((key, tier) for key, tier in chip["tiers"].items() if tier.get("kind") == "main")
        if capacity * 1e9 > units.parse(main["capacity"], "bytes") * (1.0 + TOLERANCE):
            return None
        own["tiers"] = {tier: {"capacity": capacity * 2**30}}
    return own


@lru_cache(maxsize=16)
def _by_words(names: tuple[str, ...], aliases: tuple[tuple[str, str], ...]) -> dict[frozenset[str], tuple[str, ...]]:
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for said, name in (*((name, name) for name in names), *aliases):
        words = _words(said)[0]
        known = found.get(words, ())
        found[words] = known if name in known else (*known, name)
    return found


def _words(reference: str) -> tuple[frozenset[str], float | None]:
    """Words that tell a product, and the capacity that is named. [GB]"""
    joined = re.sub(r"(\d)\s+(gi?b)\b", r"\1\2", reference.lower())
    words, capacity = set(), None
    for word in re.findall(r"[\w.+]+", joined.replace("_", " ")):
        size = _CAPACITY.fullmatch(word)
        if size:
            capacity = float(size[1])
        elif word not in _SILENT and not _MEMORY.fullmatch(word):
            words.add(re.sub(r"^sxm\d$", "sxm", word))
    return frozenset(words), capacity


def _has(name: str, capacity: float, extra: tuple[str, ...]) -> bool:
    """Whether the main memory of a chip or system holds so many GB."""
    tiers = catalog.load("hardware", name, extra).data.get("tiers")
    for tier in tiers.values() if isinstance(tiers, Mapping) else ():
        if isinstance(tier, Mapping) and tier.get("kind") == "main" and tier.get("capacity") is not None:
            held = units.parse(tier["capacity"], "bytes")
            return any(abs(held / unit / capacity - 1.0) <= TOLERANCE for unit in (1e9, 2.0**30))
    return False
