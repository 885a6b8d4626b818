"""Descriptors from plain data by the markers of their fields: what is right, without pydantic.

What is filled here is what pydantic would make of the same data; all else is left to it, which says what is wrong
(`llmperf.descriptors.validation`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from llmperf.descriptors.fields import Marker

T = TypeVar("T")
Filler = Callable[[Any], Any]


class UnfitError(ValueError):
    """Data that is wrong, or of a form that is not known here."""


def fill(cls: type[T], data: Any) -> T:
    """A descriptor filled from plain data, every value checked.

    Parameters
    ----------
    cls : type
        A descriptor dataclass.
    data : dict
        Its keys as they are written, or as they were validated before.

    Raises
    ------
    ValueError
        If anything does not fit; not what.
    """
    kind: Any = cls
    fillers = _fillers(kind)
    if type(data) is not dict or not data.keys() >= fillers.required:
        raise UnfitError
    try:
        filled: T = kind(**{key: fillers[key](value) for key, value in data.items()})
    except KeyError:
        raise UnfitError from None
    return filled


def filler(cls: Any, name: str) -> Filler | None:
    """What fills one field of a class, ValueError where a value does not fit; None where it has no such field."""
    try:
        return _fillers(cls)[name]
    except KeyError:
        return None


class _Fillers(dict[str, Filler]):
    """What fills each field of a class; a type is read when a value for its field comes, since most never do."""

    def __init__(self, cls: Any) -> None:
        super().__init__()
        self.required = {
            item.name for item in fields(cls) if item.default is MISSING and item.default_factory is MISSING
        }
        self._cls = cls

    def __missing__(self, name: str) -> Filler:
        """What fills a field that has had no value yet; KeyError where there is no such field."""
        owner = next((base for base in self._cls.__mro__ if name in getattr(base, "__annotations__", ())), None)
        if owner is None:
            raise KeyError(name)
        self[name] = filler = _written(owner.__annotations__[name], owner.__module__)
        return filler


_fillers = cache(_Fillers)


@cache
def _written(hint: str, module: str) -> Filler:
    """What fills a field of a type, as a module writes it."""
    return _filler(eval(hint, vars(sys.modules[module])))


def _filler(hint: Any) -> Filler:
    """What fills a field of a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        checks = [one.check for one in inner[1:] if isinstance(one, Marker)]
        return checks[0] if len(checks) == 1 else _unknown
    if origin is Literal:
        return _one_of(inner)
    if origin in (Union, UnionType) and len(inner) == 2 and inner[1] is NoneType:
        return _optional(_filler(inner[0]))
    if origin is dict:
        return _mapping(*map(_filler, inner))
    if origin is list:
        return _list(_filler(inner[0]))
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda data: fill(hint, data)
    return _unknown


def _unknown(_: Any) -> Any:
    raise UnfitError


def _one_of(allowed: tuple[Any, ...]) -> Filler:
    def filled(value: Any) -> Any:
        if type(value) is not str or value not in allowed:
            raise UnfitError
        return value

    return filled


def _optional(inner: Filler) -> Filler:
    return lambda value: None if value is None else inner(value)


def _mapping(key: Filler, item: Filler) -> Filler:
    def filled(value: Any) -> Any:
        if type(value) is not dict:
            raise UnfitError
        return {key(name): item(inner) for name, inner in value.items()}

    return filled


def _list(item: Filler) -> Filler:
    def filled(value: Any) -> Any:
        if type(value) is not list:
            raise UnfitError
        return [item(inner) for inner in value]

    return filled
