"""Files as a store: written whole, remembered by content, and known by what depends on them."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from llmperf.files.documents import Document, parse_json, read_bytes

SUFFIXES = (".yaml", ".yml", ".json")
_FILES = (*SUFFIXES, ".gguf")
"""How references to files end."""
_CACHE_VERSION = "4"
_PART, _STEM, _LEFT_S = ".llmperf.part", 40, 3600.0
"""End of the name of a file while it is written, the most characters of its own name in that, and the age from which
such a file is of a process that was killed. [s]"""


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
    """Write a file so that a reader sees the old or the new content, never a part.

    A link stays one, and what it leads to is written; what is no plain file (a device, a pipe, this process's own
    output) is written through, for a file in its place would be another thing.
    """
    data = content.encode() if isinstance(content, str) else content
    before = _what_stands(path)
    if before is not None and (through := _stream(before, path)) is not None:
        with through as stream:
            stream.write(data)
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name[:_STEM], suffix=_PART)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(stat.S_IMODE(before.st_mode) if before is not None else 0o666 & ~_mask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _what_stands(path: Path) -> os.stat_result | None:
    """What a path leads to; None where there is nothing yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _stream(before: os.stat_result, path: Path) -> BinaryIO | None:
    """A stream into what stands there and cannot be replaced; None of a plain file."""
    for own in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or no file of the system's
            if os.path.samestat(before, os.fstat(own.fileno())):
                own.flush()
                return os.fdopen(os.dup(own.fileno()), "wb")
    return None if stat.S_ISREG(before.st_mode) else path.open("wb")


def _mask() -> int:
    """What the process takes from the mode of a file that is simply opened; temporary ones are private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sweep(path: Path) -> None:
    """Remove what processes that were killed left of the same file."""
    now = time.time()
    for left in path.parent.glob(f"{glob.escape(path.name[:_STEM])}*{_PART}"):
        with contextlib.suppress(OSError):  # another process was first, or it is another user's
            if now - left.stat().st_mtime > _LEFT_S:
                left.unlink()


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
    found = _recalled(cached)
    if found is not None:
        data, lines, columns = found
        return Document(json.loads(data), path, _Places(lines), _Places(columns))
    # absent or damaged: parse the file, which is the truth, and store it again
    from llmperf.files.yaml import parse_yaml

    document = parse_yaml(content, path)
    _keep(cached, document.data, document.lines, document.columns)
    return document


def _recalled(cached: Path) -> list[bytes] | None:
    """The lines that `_keep` wrote; None where there are none, or one has been changed since."""
    try:
        digest, _, kept = cached.read_bytes().partition(b"\n")
    except OSError:
        return None
    return kept.split(b"\n") if digest.decode("ascii", "replace") == hashlib.sha256(kept).hexdigest() else None


def _keep(cached: Path, *parts: Any) -> None:
    """Store plain data, one part a line, below the digest that says that nobody has changed it."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a read-only home costs time, not answers
        kept = b"\n".join(json.dumps(part).encode() for part in parts)
        write_atomically(cached, hashlib.sha256(kept).hexdigest().encode() + b"\n" + kept)


class _Places(Mapping[str, int]):
    """Where the keys of a file stand, read from the cache when somebody asks: there are more of them than of values."""

    def __init__(self, stored: bytes) -> None:
        self._stored = stored

    @cached_property
    def _known(self) -> dict[str, int]:
        known: dict[str, int] = json.loads(self._stored)
        return known

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
    found = _recalled(cached)
    if found is not None:
        return json.loads(found[0])
    data = compute()
    _keep(cached, data)
    return data


def is_path(text: str) -> bool:
    """Whether a written reference is a file, not a name of the catalog."""
    return "/" in text or os.sep in text or text.endswith(_FILES)
