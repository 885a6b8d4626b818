"""Frozen dataclasses of which hardly anything is made before it is needed.

`dataclasses.dataclass` writes six methods of each class as source and compiles them, which takes two thirds of the time
in which this package is imported. Here all classes share their methods but ``__init__``, and that is compiled when so
many objects have been made that it pays. Fields, types and behaviour are those of
``dataclasses.dataclass(frozen=True)``, and all that the standard module does with a dataclass works.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

FEW = 16
"""Objects of a class that are made before its ``__init__`` is compiled: making them takes about as long."""

_set = object.__setattr__

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool = False) -> Callable[[type], type]:
        """As ``dataclasses.dataclass``, of frozen classes; those that they inherit from are of this kind, too."""
        assert frozen, "objects that may change are made by dataclasses.dataclass"

        def made(cls: type) -> type:
            own = dict(vars(cls))
            found = _fields(cls)
            kept = {name: value for name, value in own.items() if name not in found and name not in _OF_ITS_OWN}
            body = {"__qualname__": cls.__qualname__, **_SHARED, **kept, "__dataclass_fields__": found}
            body["__dataclass_params__"] = _Pattern.__dataclass_params__
            body["__match_args__"] = tuple(name for name, item in found.items() if item.init)
            if slots:
                taken = {name for base in cls.__mro__[1:-1] for name in vars(base).get("__slots__", ())}
                body["__slots__"] = tuple(name for name in found if name not in taken)
            return type(cls)(cls.__name__, cls.__bases__, body)

        return made


_OF_ITS_OWN = ("__dict__", "__weakref__")
"""What Python gives to each class anew."""


@dataclasses.dataclass(init=False, repr=False, eq=False)
class _Pattern:
    """A dataclass of the standard module, for what it notes of each of its own."""

    value: int


_KIND = fields(_Pattern)[0]._field_type  # type: ignore[attr-defined]


def _fields(cls: type) -> dict[str, Any]:
    """The fields of a class, those that it inherits first, as the standard module notes them."""
    found: dict[str, Any] = {}
    for base in cls.__mro__[:0:-1]:
        found |= vars(base).get("__dataclass_fields__", {})
    for name, hint in cls.__annotations__.items():
        given = vars(cls).get(name, MISSING)
        item: Any = given if isinstance(given, Field) else field(default=given)
        assert type(item.default).__hash__ is not None, f"all objects of {cls} would share the default of {name}"
        item.name, item.type, item.kw_only, item._field_type = name, hint, False, _KIND
        found[name] = item
    return found


def _few(self: Any, /, *arguments: Any, **keywords: Any) -> None:
    """The ``__init__`` of a class of which few objects have been made."""
    cls: Any = next(cls for cls in type(self).__mro__ if "__init__" in vars(cls))
    made = _made[cls] = _made.get(cls, 0) + 1
    if made > FEW or not _filled(cls, self, arguments, keywords):
        if cls.__init__ is _few:  # else another thread was faster
            cls.__init__ = _initializer(cls)
        cls.__init__(self, *arguments, **keywords)
    elif hasattr(cls, "__post_init__"):
        self.__post_init__()


_made: dict[Any, int] = {}
"""Class -> objects of it."""


def _filled(cls: Any, self: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether the arguments are those of the fields, which then have their values."""
    given = dict(zip(cls.__match_args__, arguments, strict=False))
    if len(given) < len(arguments) or given.keys() & keywords.keys():
        return False
    given |= keywords
    for name, init, usual, make in _usual(cls):
        if init and name in given:
            _set(self, name, given.pop(name))
        elif make is not MISSING:
            _set(self, name, make())
        elif usual is not MISSING:
            _set(self, name, usual)
        elif init:
            return False
    return not given


@cache
def _usual(cls: Any) -> tuple[tuple[str, bool, Any, Any], ...]:
    """Of each field its name, whether it is an argument, its default and what makes it."""
    return tuple((item.name, item.init, item.default, item.default_factory) for item in fields(cls))


def _initializer(cls: Any) -> Callable[..., None]:
    """The ``__init__`` of a class, compiled."""
    known: dict[str, Any] = {"_set": _set, "_MISSING": MISSING}
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
        _set(self, item.name, value)


_SHARED: dict[str, Callable[..., Any]] = {
    "__init__": _few,
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _shown,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _restore,
}
