"""Files as a store: written whole, remembered by content, and known by what depends on them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from llmperf.files.documents import Document, parse_json, read_bytes

SUFFIXES = (".yaml", ".yml", ".json")
_FILES = (*SUFFIXES, ".gguf")
"""How references to files end."""
_CACHE_VERSION = "3"
_END = b"end"
"""Last line of a parsed file in the cache: what has it is whole."""


@cache
def packaged() -> Path:
    """The directory that holds ``hardware/`` and ``workloads/``: inside a wheel, or beside a checkout's package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "catalog"
    return inside if inside.is_dir() else package.parent


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "llmperf"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # as a file that is simply opened; temporary ones are private
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def state(path: str) -> tuple[int, int]:
    """What changes when a file or directory does: (time of change, size); zeros where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 (on the path of every estimate; a Path costs more than the call)
    except (OSError, ValueError):
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


_touched: list[str] | None = None
"""Files and directories that were read while a descriptor is built; None when nobody asks."""


@contextlib.contextmanager
def touching() -> Iterator[list[str]]:
    """Collect the files and directories outside the package that are read within."""
    global _touched
    before, _touched = _touched, []
    inside = _touched
    try:
        yield inside
    finally:
        _touched = before
        if before is not None:
            before += inside


def touch(path: str | Path) -> None:
    """Note that a descriptor depends on a file or directory."""
    if _touched is not None and not str(path).startswith(str(packaged())):
        _touched.append(str(path))


class MadeOfFiles:
    """What was made of files, in memory, while none of those outside the package that went into it has changed.

    Parameters
    ----------
    most : int
        Values that are kept; all are let go when there are more.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.known: dict[Any, tuple[Any, list[tuple[str, tuple[int, int]]]]] = {}

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value of a key, made where it is not known or its files are others; its files count as read."""
        known = self.known.get(key)
        if known is not None and all(state(path) == before for path, before in known[1]):
            for path, _ in known[1]:
                touch(path)
            return known[0]
        with touching() as touched:
            made = make()
        if len(self.known) >= self.most:
            self.known.clear()
        self.known[key] = (made, [(path, state(path)) for path in dict.fromkeys(touched)])
        return made


def load_file(path: str) -> Document:
    """Read a file, from memory or the cache where the same content has been parsed before.

    Raises
    ------
    InputError
        If the file cannot be read or parsed.
    """
    touch(path)
    return _load_file(path, state(path))


@lru_cache(maxsize=1024)
def _load_file(path: str, version: tuple[int, int]) -> Document:  # noqa: ARG001 (part of the key)
    content = read_bytes(Path(path))
    if path.endswith(".json"):
        return parse_json(content, path)
    key = hashlib.sha256(_CACHE_VERSION.encode() + content).hexdigest()
    cached = _cache_directory() / f"{key}.parsed"
    try:
        data, lines, columns, end = cached.read_bytes().split(b"\n")
        if end == _END:
            return Document(json.loads(data), path, _Places(lines), _Places(columns))
    except (OSError, ValueError, RecursionError):
        pass
    # absent or damaged: parse the file, which is the truth, and store it again
    from llmperf.files.yaml import parse_yaml

    document = parse_yaml(content, path)
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a read-only home costs time, not answers
        stored = (json.dumps(part).encode() for part in (document.data, document.lines, document.columns))
        write_atomically(cached, b"\n".join((*stored, _END)))
    return document


class _Places(Mapping[str, int]):
    """Where the keys of a file stand, read from the cache when somebody asks: there are more of them than of values."""

    def __init__(self, stored: bytes) -> None:
        self._stored = stored

    @cached_property
    def _known(self) -> dict[str, int]:
        try:
            return {str(key): int(place) for key, place in json.loads(self._stored).items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            return {}  # damaged: a message names the file without the line

    def __getitem__(self, path: str) -> int:
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def remembered(what: str, of: Iterable[str], compute: Callable[[], Any]) -> Any:
    """JSON that was computed from files, from the cache while none of them has changed.

    Parameters
    ----------
    what : str
        What it is, part of the key.
    of : iterable of str
        Paths of the files.
    compute : callable
        Gives plain data.
    """
    states = [(path, *state(path)) for path in of]
    key = hashlib.sha256(json.dumps([_CACHE_VERSION, what, states]).encode()).hexdigest()
    cached = _cache_directory() / f"{key}.json"
    try:
        return json.loads(cached.read_bytes())["remembered"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # absent or damaged: compute it anew
    data = compute()
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        write_atomically(cached, json.dumps({"remembered": data}))
    return data


def is_path(text: str) -> bool:
    """Whether a written reference is a file, not a name of the catalog."""
    return "/" in text or os.sep in text or text.endswith(_FILES)
