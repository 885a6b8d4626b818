"""The catalog: descriptors found by name, alias or path, in the package and in the user's own directories.

Directories are searched in this order, the first find wins: those passed by the caller (``--catalog``), those in
``LLMPERF_CATALOG``, ``./llmperf.d``, and the catalog that ships with the package. A file's stem is its name; its
directory is its kind. Only the files that a scenario names are read; parsed files are kept as JSON, keyed by a hash
of their content, in the user's cache directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmperf.errors import MAX_PROBLEMS, InputError, Kind, Problem, nearest, nearest_by_tokens, shown, sort_of
from llmperf.files.documents import Document, irregular
from llmperf.files.store import SUFFIXES, is_path, load_file, packaged, remembered, state, touch

KINDS: dict[str, tuple[str, ...]] = {
    "model": ("models",),
    "hardware": ("chips", "systems"),
    "achieved": ("achieved",),
    "link": ("links",),
    "tier": ("memory",),
    "weights": ("weights",),
    "kv_cache": ("kv_cache",),
    "engine": ("engines",),
    "attention": ("attention",),
    "traffic": ("traffic",),
    "scenario": ("scenarios",),
    "published": ("published",),
}
"""Kinds of descriptors and the directories that hold them."""

MAX_EXTENDS = 8
"""Longest chain of ``extends``."""


def directories(extra: Iterable[str | Path] = ()) -> tuple[Path, ...]:
    """Catalog directories, the strongest first.

    Raises
    ------
    InputError
        If a directory that the user names does not exist.
    """
    named = [Path(item) for item in extra]
    named += [Path(item) for item in os.environ.get("LLMPERF_CATALOG", "").split(os.pathsep) if item]
    absent = [Problem("is not a directory", file=str(item)) for item in named if not item.is_dir()]
    if absent:
        raise InputError(absent)
    touch(_LOCAL)
    return (*named, *([_LOCAL] if _LOCAL.is_dir() else []), packaged())


_LOCAL = Path("llmperf.d")
"""The directory of descriptors that is read without being named."""


def hiding(kind: str, document: Document) -> list[str]:
    """What to say of a descriptor that nobody named by its file, and that hides one of the catalog."""
    out = []
    for layer in document.layers:
        path = Path(layer.file or "")
        if path.parts[:1] == _LOCAL.parts and path.stem.lower() in _packaged_names(kind):
            out.append(f"{kind} {path.stem} is that of {path}, not of the catalog that ships")
    return out


def _packaged_names(kind: str) -> set[str]:
    return {name for folder in _folders(packaged(), kind) for name, _ in _within(folder, state(folder))}


def _folders(root: str | Path, kind: str) -> Iterator[str]:
    for folder in KINDS[kind]:
        for parent in ("", "hardware", "workloads"):
            path = os.path.join(root, parent, folder)  # noqa: PTH118 (many; a Path costs more than asking for it)
            if os.path.isdir(path):  # noqa: PTH112
                yield path


def files(kind: str, extra: tuple[str, ...] = ()) -> dict[str, Path]:
    """Name -> file of every descriptor of a kind; a stronger directory hides a weaker one's names."""
    return {name: Path(path) for name, path in paths(kind, extra).items()}


def paths(kind: str, extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Name -> path of the file, as text: hundreds of names, of which an estimate needs one."""
    found: dict[str, str] = {}
    for root in directories(extra):
        here: dict[str, str] = {}
        for folder in _folders(root, kind):
            touch(folder)
            for name, path in _within(folder, state(folder)):
                if name in here:
                    raise InputError(Problem(f"has the same name as {here[name]}", file=path))
                here[name] = path
        found = {**here, **found}
    return found


@lru_cache(maxsize=256)
def _within(folder: str, _: tuple[int, int]) -> tuple[tuple[str, str], ...]:
    """Name and file of every descriptor in a folder of a state."""
    named = [(os.path.splitext(file), file) for file in sorted(os.listdir(folder))]  # noqa: PTH122, PTH208 (hundreds)
    return tuple((stem.lower(), f"{folder}{os.sep}{file}") for (stem, suffix), file in named if suffix in SUFFIXES)


def aliases(kind: str, extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Alias (lower case) -> name, for every descriptor of a kind.

    Raises
    ------
    InputError
        If one alias stands for two descriptors of one directory, or is the name of another.
    """
    names = paths(kind, extra)
    for path in names.values():
        touch(path)
    return dict(_aliases(tuple((name, path, state(path)) for name, path in names.items())))


@lru_cache(maxsize=64)
def _aliases(names: tuple[tuple[str, str, tuple[int, int]], ...]) -> dict[str, str]:
    found: dict[str, str] = remembered(
        "aliases", [path for _, path, _ in names], lambda: _owners([(name, path) for name, path, _ in names])
    )
    return found


def _owners(names: list[tuple[str, str]]) -> dict[str, str]:
    owners: dict[str, str] = {}
    known = {name for name, _ in names}
    twice: list[Problem] = []
    for name, path in names:
        data = load_file(path).data
        given = data.get("aliases") if isinstance(data, Mapping) else None
        for alias in given if isinstance(given, list) else ():
            key = str(alias).lower()
            other = key if key in known and key != name else owners.get(key, name)
            if other != name:
                twice.append(Problem(f"alias {shown(alias)} already stands for {other}", "aliases", path))
            owners[key] = name
    if twice:
        raise InputError(twice)
    return owners


def find(kind: str, name: str, extra: tuple[str, ...] = (), path: str = "") -> Path:
    """The file of a descriptor by name or alias (upper and lower case alike).

    Raises
    ------
    InputError
        If there is none; suggests the nearest name.
    """
    names = paths(kind, extra)
    key = name.strip().lower()
    if key in names:
        return Path(names[key])
    by_alias = aliases(kind, extra)
    if key in by_alias:
        return Path(names[by_alias[key]])
    alike = _squeezed(tuple(names), tuple(by_alias.items())).get(squeezed(key))
    if alike is not None:
        return Path(names[alike])
    near = _near(kind, name, [*names, *by_alias])
    allowed = tuple(sorted(names))
    text = f"unknown {kind} {shown(name)}{_HINTS.get(kind, '')}"
    raise InputError(Problem(text, path, None, None, allowed, near, kind="unknown_name"))


_HINTS = {
    "model": "; --download fetches the configuration of a Hugging Face id, and a config.json may be given by its path",
    "weights": "; a width may stand in the name, as in exl2-4.65bpw, gptq-int8 or w4a16-g32",
}
"""What else may be written, where no name of the catalog fits."""


def squeezed(name: str) -> str:
    """A name without what people separate its parts with: ``H100 SXM5`` and ``h100-sxm5`` are one."""
    return re.sub(r"[-_\s]", "", name.lower())


@lru_cache(maxsize=64)
def _squeezed(names: tuple[str, ...], by_alias: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Names by what they are without separators, where that is the same for no other."""
    found: dict[str, str] = {}
    several = set()
    for said, name in (*((name, name) for name in names), *by_alias):
        if found.setdefault(squeezed(said), name) != name:
            several.add(squeezed(said))
    return {said: name for said, name in found.items() if said not in several}


def _near(kind: str, name: str, known: Iterable[str]) -> str | None:
    """The nearest name: of models, whose sizes and versions matter, by words; of others by letters."""
    return nearest_by_tokens(name, known) if kind == "model" else nearest(name, known)


def load(kind: str, reference: str, extra: tuple[str, ...] = (), path: str = "") -> Document:
    """The document of a descriptor by name, alias or file, with what it ``extends`` merged in.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    reference : str
        A name, an alias, or a path (contains ``/`` or ends in .yaml, .yml or .json).
    extra : tuple of str
        The caller's catalog directories.
    path : str
        Path of the reference in the scenario, for messages.
    """
    found = chain(kind, reference, extra, path)
    if kind == "achieved":  # how well the fits of a class hold says nothing of a chip
        found[1:] = [replace(d, data={k: v for k, v in d.data.items() if k != "fitted"}) for d in found[1:]]
    data = _own(found[-1])  # of a file that extends nothing, null is a value; in one that does, it deletes
    for document in reversed(found[:-1]):
        own = _own(document)
        for key, value in own.items():  # values on top of what the base names (achieved: some-class)
            if isinstance(value, Mapping) and isinstance(data.get(key), str) and "extends" not in value:
                own[key] = {"extends": data[key], **value}
        data = merge(data, own)
    if "aliases" in found[0].data:
        data["aliases"] = found[0].data["aliases"]
    if kind != "scenario":
        data.setdefault("name", Path(found[0].file or "").stem)
    return Document(data, found[0].file, found[0].lines, found[0].columns, tuple(found))


def chain(kind: str, reference: str, extra: tuple[str, ...] = (), path: str = "") -> list[Document]:
    """The document of a descriptor and those that it ``extends``, the strongest first (see `load`)."""
    found: list[Document] = []
    seen: set[str] = set()
    while True:
        try:
            file = str(_locate(kind, reference, extra, path))
        except InputError as error:
            if not found:
                raise
            last = found[-1]
            raise InputError(
                [replace(p, file=p.file or last.file, line=last.line("extends")) for p in error.problems]
            ) from None
        if file in seen or len(found) >= MAX_EXTENDS:
            raise InputError(Problem("extends itself, or too many others", "extends", file))
        seen.add(file)
        document = load_file(file)
        if not isinstance(document.data, Mapping):
            raise InputError(Problem(f"must be a mapping, not {sort_of(document.data)}", file=file))
        found.append(document)
        _check_kind(kind, found)
        base = document.data.get("extends")
        if base is None:
            break
        if not isinstance(base, str):
            raise InputError(Problem(f"{shown(base)} is not a name", "extends", file, document.line("extends")))
        reference, path = beside(base, file), "extends"
    return found


KNOWN: dict[str, Callable[[Mapping[str, Any]], Collection[str]]] = {}
"""Kind -> the keys that a document of it may have at its top; kinds without are not judged (see `_check_kind`)."""
_OF_ALL = ("extends", "name", "description", "aliases", "sources", "notes")
"""Keys that say nothing of the kind."""
_MISSPELT = 0.75
"""How alike a key of a kind is that was meant. [1]"""


def _check_kind(kind: str, found: list[Document]) -> None:
    """Refuse a file of something else, by whatever name it was reached, without a word of what it holds.

    That is one that has no key of this kind, nor one spelt nearly so; of what another file extends, one most of whose
    keys are none.
    """
    document = found[-1]
    if kind not in KNOWN or str(document.file).startswith(str(packaged())):
        return
    known = KNOWN[kind](document.data)
    keys = [str(key).partition(".")[0] for key in document.data if key not in _OF_ALL]
    strange = [key for key in keys if key not in known]
    extended = len(found) > 1
    if not strange or (2 * len(strange) <= len(keys) if extended else len(strange) < len(keys)):
        return
    if not extended and any(nearest(key, known, _MISSPELT) for key in strange[:MAX_PROBLEMS]):
        return
    text = f"{len(strange)} of its {len(keys)} keys are unknown"
    if not extended:
        raise InputError(Problem(f"is no {kind}: {text}", file=document.file))
    by = found[-2]
    raise InputError(Problem(f"{document.file} is no {kind}: {text}", "extends", by.file, by.line("extends")))


def _own(document: Document) -> dict[str, Any]:
    return {key: value for key, value in document.data.items() if key not in ("extends", "aliases")}


def beside(reference: str, file: str | None) -> str:
    """A relative path that a file names, taken from that file's directory where it is found there."""
    if file is None or not is_path(reference) or Path(reference).is_absolute():
        return reference
    for near in (Path(file).parent / reference, Path(os.path.realpath(file)).parent / reference):  # it may be a link
        if _exists(near):
            return str(near)
    return reference


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than the system allows, or with a NUL in it
        return False


def _locate(kind: str, reference: str, extra: tuple[str, ...], path: str) -> Path:
    file = Path(reference)
    if not is_path(reference):
        try:
            return find(kind, reference, extra, path)
        except InputError:
            if kind != "model" or not _exists(file / "config.json"):
                raise
    if _exists(file):
        config = file / "config.json"
        if kind == "model" and file.is_dir() and config.is_file():
            return config
        if not file.is_file():
            raise InputError(Problem(irregular(file), path, reference))
        return file
    known = aliases(kind, extra)
    alias = known.get(reference.lower())  # Hugging Face ids hold a slash, too
    if alias is not None:
        return Path(paths(kind, extra)[alias])
    if kind == "model":
        from llmperf.importers.hub import is_model_id, local_config

        cached = local_config(reference)
        if cached is not None:
            return cached
    near = None if reference.endswith(SUFFIXES) else _near(kind, reference, known)
    text = f"no such file, and no {kind} of the catalog has this name"
    if kind == "model" and is_model_id(reference.partition(":")[0]) and not reference.endswith(SUFFIXES):
        text = f"neither the catalog nor the local Hugging Face cache has {shown(reference)}{_HINTS['model']}"
        raise InputError(Problem(text, path, None, None, (near,) if near else (), near, kind="unknown_name"))
    a_file = reference.endswith((*SUFFIXES, ".gguf")) or reference.startswith(
        (".", "/", "~")
    )  # not a name with a slash
    fault: Kind = "wrong" if a_file else "unknown_name"
    raise InputError(Problem(text, path, reference, None, (near,) if near else (), near, kind=fault))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` on top: mappings merge deeply, lists and scalars replace, None deletes."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
