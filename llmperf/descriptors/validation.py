"""Validation at the border: plain data to frozen descriptors, with every fault of a document at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from llmperf.descriptors.filling import fill
from llmperf.errors import MAX_PROBLEMS, InputError, Problem, nearest, shown
from llmperf.files.documents import Document

T = TypeVar("T")


def adapter(cls: Any) -> Any:
    """The pydantic validator of a descriptor class."""
    return _adapter(cls)


@cache
def _adapter(cls: Any) -> Any:
    from pydantic import TypeAdapter

    with _without_plugins():
        return TypeAdapter(cls)


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Pydantic without the plugins of other packages: it would scan every installed package for them first."""
    name = "PYDANTIC_DISABLE_PLUGINS"
    before = os.environ.get(name)
    os.environ[name] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def build(
    cls: type[T],
    document: Document,
    prefix: str = "",
    contradictions: Callable[[T], list[tuple[str, str]]] | None = None,
) -> T:
    """Turn a document into a descriptor.

    Parameters
    ----------
    cls : type
        A descriptor dataclass.
    document : Document
        Plain data with the file and lines it came from.
    prefix : str
        Path under which a message names the document's keys.
    contradictions : callable, optional
        Checks the finished descriptor; returns (path, message) pairs.

    Raises
    ------
    InputError
        With one `Problem` for each fault of the document.
    """
    if not isinstance(document.data, Mapping) or not all(isinstance(key, str) for key in document.data):
        text = f"must be a mapping, not {shown(document.data)}"
        raise InputError(Problem(text, prefix, document.file, document.line("")))
    try:
        value = fill(cls, document.data)
    except ValueError:
        value = _validated(cls, document, prefix)
    found = contradictions(value) if contradictions else []
    if found:
        raise InputError([_problem(document, prefix, path, message) for path, message in found])
    return value


def _validated(cls: type[T], document: Document, prefix: str) -> T:
    """What could not be filled, by pydantic, which finds every fault and says what it is."""
    from pydantic import ValidationError

    try:
        value: T = adapter(cls).validate_python(document.data)
    except ValidationError as error:
        raise InputError(_problems(cls, document, prefix, error.errors(include_url=False))) from None
    return value


def _problem(
    document: Document,
    prefix: str,
    path: str,
    message: str,
    allowed: tuple[str, ...] = (),
    suggestion: str | None = None,
) -> Problem:
    full = ".".join(part for part in (prefix, path) if part)
    return Problem(message, full, *document.where(path), allowed, suggestion)


def _problems(cls: type[Any], document: Document, prefix: str, errors: list[Any]) -> list[Problem]:
    found: dict[str, Problem] = {}
    for error in errors:
        keys = [str(part) for part in error["loc"] if not _is_label(part)]
        path = ".".join(keys)
        if len(found) >= MAX_PROBLEMS:  # counted, but no longer listed: to look for what is nearest takes long
            found.setdefault(path, Problem("is wrong", path, document.file))
            continue
        message, allowed, suggestion = _explained(cls, keys, error)
        found.setdefault(path, _problem(document, prefix, path, message, allowed, suggestion))
    return list(found.values())


def _is_label(part: Any) -> bool:
    """Pydantic marks a wrong key of a mapping by this word after the key; it is no key itself."""
    return bool(part == "[key]")


def _explained(cls: type[Any], keys: list[str], error: Any) -> tuple[str, tuple[str, ...], str | None]:
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        allowed = tuple(_fields_at(cls, keys[:-1]))
        return "unknown key", allowed, nearest(keys[-1], allowed)
    if kind in ("missing", "missing_argument"):
        return "is missing", (), None
    if kind == "literal_error":
        allowed = tuple(part.strip(" '") for part in context["expected"].replace(" or ", ",").split(","))
        return f"{shown(value)} is not allowed", allowed, nearest(str(value), allowed)
    if kind == "quantity":
        return context["text"], tuple(context["allowed"]), context["suggestion"]
    if kind == "value":
        return context["text"], (), None
    if kind in ("dataclass_type", "dict_type", "list_type", "dataclass_exact_type"):
        return f"must be a {'list' if kind == 'list_type' else 'mapping'}, not {shown(value)}", (), None
    return f"{error['msg']}: {shown(value)}", (), None


def _fields_at(cls: Any, keys: list[str]) -> list[str]:
    """Field names of the dataclass that `keys` lead to inside `cls`."""
    for key in keys:
        hints = get_type_hints(cls)
        members = [cls := hints[key]] if is_dataclass(cls) and key in hints else get_args(cls)[1:]
        cls = next((inner for member in members for inner in (member, *get_args(member)) if is_dataclass(inner)), cls)
    return [item.name for item in fields(cls)] if is_dataclass(cls) else []
