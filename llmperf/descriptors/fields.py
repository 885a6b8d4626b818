"""Field types of descriptors: what a value may be, said once for validation, for JSON Schema and for arrays.

The descriptor classes are plain frozen dataclasses; these markers sit in their annotations and are read by
pydantic only when a document is validated, so that a cached document loads without importing pydantic.
"""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from llmperf import units
from llmperf.errors import shown
from llmperf.numeric import Real as Real
from llmperf.records import dataclass

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

MAX_COUNT = 1e15
"""Counts above this are typing errors, and would lose integer precision in a float."""

SMALLEST, LARGEST = 1e-20, 1e25
"""Quantities beyond these are typing errors, and would overflow what is computed from them."""

MAX_NAME = 1000
"""Characters of a text."""
_NUMBERS = (int, float, np.integer, np.floating)


class Marker:
    """Base of the markers: a check of one value and its JSON Schema."""

    def check(self, value: Any) -> Any:
        """The value as it goes inward; ValueError where it is not allowed."""
        raise NotImplementedError

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import PydanticCustomError, core_schema

        def checked(value: Any) -> Any:
            try:
                return self.check(value)
            except units.UnitError as error:
                raise PydanticCustomError(
                    "quantity",
                    "{text}",
                    {
                        "text": str(error),
                        "allowed": list(error.allowed),
                        "suggestion": error.suggestion,
                    },
                ) from None
            except ValueError as error:
                raise PydanticCustomError("value", "{text}", {"text": str(error)}) from None

        return core_schema.no_info_plain_validator_function(checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.json_schema()


@dataclass(frozen=True, slots=True)
class Quantity(Marker):
    """A positive written quantity of one dimension (see `llmperf.units`); zero only where `zero` says so."""

    dimension: str
    zero: bool = False

    def check(self, value: Any) -> float:
        number = units.parse(value, self.dimension)
        if number < 0 or (number == 0 and not self.zero):
            raise ValueError(f"{shown(value)} must be {'zero or more' if self.zero else 'more than zero'}")
        if number and not SMALLEST <= number <= LARGEST:
            raise ValueError(f"{shown(value)} must lie between {SMALLEST:g} and {LARGEST:g}")
        return number

    def json_schema(self) -> dict[str, Any]:
        kind = units.DIMENSIONS[self.dimension]
        bound = {"minimum": 0} if self.zero else {"exclusiveMinimum": 0}
        return {
            "anyOf": [{"type": "string"}, {"type": "number", **bound}],
            "description": f"{self.dimension} in {kind.unit or '1'}",
            "examples": [kind.example],
        }


@dataclass(frozen=True, slots=True)
class Count(Marker):
    """A whole number of at least `least`, which may be written ``32k``."""

    least: int = 1

    def check(self, value: Any) -> float:
        if isinstance(value, str) and (number := units.count(value)) is not None:
            value = number
        if isinstance(value, bool) or not isinstance(value, _NUMBERS):
            raise ValueError(f"{shown(value)} is not a whole number")
        if not abs(value) <= MAX_COUNT or value != math.floor(value):
            raise ValueError(f"{shown(value)} is not a whole number up to {MAX_COUNT:.0e}")
        if value < self.least:
            raise ValueError(f"{shown(value)} must be at least {self.least}")
        return int(value)

    def json_schema(self) -> dict[str, Any]:
        written = {"type": "string", "pattern": rf"^\s*{units.COUNT}\s*$"}
        return {"anyOf": [{"type": "integer", "minimum": self.least}, written]}


@dataclass(frozen=True, slots=True)
class Number(Marker):
    """A finite number between `least` and `most`; fractions may also be written in per cent."""

    least: float = 0.0
    most: float = 1e15

    def check(self, value: Any) -> float:
        number = units.parse(value, "fraction")
        if not self.least <= number <= self.most:
            raise ValueError(f"{shown(value)} must lie between {self.least:g} and {self.most:g}")
        return number

    def json_schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number", "minimum": self.least}
        if math.isfinite(self.most):
            number["maximum"] = self.most
        return {"anyOf": [number, {"type": "string", "pattern": "%$"}]}


@dataclass(frozen=True, slots=True)
class Name(Marker):
    """A printable one-line text of up to `MAX_NAME` characters."""

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not a text")
        if not value.strip() or len(value) > MAX_NAME or not value.isprintable():
            raise ValueError(f"{shown(value)} must be one printable line of up to {MAX_NAME} characters")
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": MAX_NAME}


@dataclass(frozen=True, slots=True)
class Flag(Marker):
    """true or false; no number or text passes for one."""

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{shown(value)} must be true or false")
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Day(Marker):
    """A calendar date, written 2026-12-31."""

    def check(self, value: Any) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValueError(f"{shown(value)} is not a date, written like 2026-12-31") from None

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


Text = Annotated[str, Name()]
Switch = Annotated[bool, Flag()]
Whole = Annotated[float, Count(1)]
WholeOrZero = Annotated[float, Count(0)]
Fraction = Annotated[float, Number(0.0, 1.0)]
Share = Annotated[float, Number(1e-6, 1.0)]
"""A fraction that something is divided by."""
Bits = Annotated[float, Number(0.01, 64.0)]
Positive = Annotated[float, Number(1e-12)]
Date = Annotated[date, Day()]
NonNegative = Annotated[float, Number(0.0)]
Bytes = Annotated[float, Quantity("bytes")]
BytesOrZero = Annotated[float, Quantity("bytes", zero=True)]
Bandwidth = Annotated[float, Quantity("bandwidth")]
Compute = Annotated[float, Quantity("compute")]
TIME = Quantity("time", zero=True)
Seconds = Annotated[float, TIME]
Hertz = Annotated[float, Quantity("frequency")]
Watts = Annotated[float, Quantity("power")]
Dollars = Annotated[float, Quantity("money", zero=True)]
DollarRate = Annotated[float, Quantity("money_rate", zero=True)]

FORBID_UNKNOWN_KEYS: dict[str, Any] = {"extra": "forbid"}
"""Pydantic configuration that every descriptor carries: an unknown key is an error, never ignored."""
