"""Two results term by term on a terminal."""

from __future__ import annotations

import textwrap

from llmperf.checks.diff import Diff
from llmperf.checks.words import change, printable
from llmperf.interfaces.console.style import WIDTH, console, table, text
from llmperf.outputs import by_path
from llmperf.words.quantities import said


def show(found: Diff) -> None:
    """Print the outputs that differ, which components do, and what makes the difference."""
    out = console()
    changed = found.changed
    labels = [text(printable(side.label)) for side in found.sides]
    if changed:
        made = table("output", *labels, "change")
        for one in changed:
            output = by_path()[one.output]
            made.add_row(
                one.output,
                text(said(output, one.before)),
                text(said(output, one.after)),
                change(one) if found.compares(one.output) else "",
            )
        out.print(made)
        out.print(f"\nof {len(found.outputs)} outputs, {len(changed)} differ: {text('; '.join(found.causes))}")
    else:
        out.print(f"{labels[0]} and {labels[1]}: no difference in {len(found.outputs)} outputs")
    for words in found.explanation if changed else ():
        out.print(text("\n".join(textwrap.wrap(words, WIDTH, initial_indent="- ", subsequent_indent="  "))))
    for note in found.notes:
        out.print(f"note: {text(printable(note))}")
