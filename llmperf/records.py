"""Frozen dataclasses whose methods are not compiled when a class is made.

`dataclasses.dataclass` writes six methods of each class as source and compiles them, which takes two thirds of the time
in which this package is imported. Here all classes share their methods but ``__init__``, and that is compiled when the
first object is made. Fields, types and behaviour are those of ``dataclasses.dataclass(frozen=True)``, and all that the
standard module does with a dataclass works.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool = False) -> Callable[[type], type]:
        """As ``dataclasses.dataclass``, of frozen classes; those that they inherit from are of this kind, too."""
        assert frozen, "objects that may change are made by dataclasses.dataclass"

        def made(cls: type) -> type:
            own = vars(cls)
            wanted = {name: method for name, method in _SHARED.items() if name not in own}
            cls.__init__ = _compiled_later
            plain = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)
            cls = plain(cls)
            for name, method in wanted.items():
                setattr(cls, name, method)
            return cls

        return made


def _compiled_later(self: Any, /, *arguments: Any, **keywords: Any) -> None:
    """The ``__init__`` of a class of which no object has been made."""
    cls: Any = next(cls for cls in type(self).__mro__ if "__init__" in vars(cls))
    if cls.__init__ is _compiled_later:  # else another thread was faster
        cls.__init__ = _initializer(cls)
    cls.__init__(self, *arguments, **keywords)


def _initializer(cls: Any) -> Callable[..., None]:
    """The ``__init__`` of a class, compiled."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    parameters, lines = ["self"], []
    for item in fields(cls):
        name, value = item.name, item.name
        if item.default_factory is not MISSING:
            known[f"_make_{name}"] = item.default_factory
            value = f"{name} if {name} is not _MISSING else _make_{name}()" if item.init else f"_make_{name}()"
        if item.init:
            usual = MISSING if item.default_factory is not MISSING else item.default
            optional = item.default is not MISSING or item.default_factory is not MISSING
            known[f"_usual_{name}"] = usual
            parameters.append(f"{name}=_usual_{name}" if optional else name)
        elif item.default is not MISSING:
            known[f"_usual_{name}"], value = item.default, f"_usual_{name}"
        elif item.default_factory is MISSING:
            continue
        lines.append(f"    _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    exec("\n".join((f"def __init__({', '.join(parameters)}):", *lines, "    return None")), known)
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


@cache
def _compared(cls: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls) if item.compare)


def _values(self: Any) -> tuple[Any, ...]:
    cls: Any = type(self)
    return tuple([getattr(self, name) for name in _compared(cls)])


def _equal(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _shown(self: Any) -> str:
    said = (f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({', '.join(said)})"


def _refuse_to_set(_: Any, name: str, __: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, item.name) for item in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for item, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, item.name, value)


_SHARED: dict[str, Callable[..., Any]] = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _shown,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _restore,
}
