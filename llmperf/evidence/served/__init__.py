"""Measured end-to-end data sets as scenarios."""

from __future__ import annotations

from typing import Any

DATASETS: tuple[Any, ...] = ()
