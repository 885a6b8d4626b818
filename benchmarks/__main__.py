"""Every figure beside its budget: ``make bench``, or ``python -m benchmarks cold report`` for some stages."""

from __future__ import annotations

import sys
from importlib import import_module

STAGES = ("warm", "arrays", "stream", "sizing", "checks", "cold", "report")
"""Modules of this package, each with `lines`."""


def main() -> int:
    """Print the figures of the stages that are named, or of all."""
    asked = sys.argv[1:] or [*STAGES]
    if unknown := [name for name in asked if name not in STAGES]:
        print(f"no such stage: {', '.join(unknown)} (there are {', '.join(STAGES)})", file=sys.stderr)
        return 2
    for name in asked:
        for line in import_module(f"benchmarks.{name}").lines():
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
