"""Documents whose examples are run: files that they show, commands that they give, and the output that follows.

In a document, a block of ``console`` holds commands after ``$`` and what they print; ``...`` stands for the rest of an
output (``...5``: it is to show five lines). A block with a title is a file of that name; a block of ``python`` without
one has to run. All blocks of a document share a
directory. ``python docs/generator/transcripts.py`` writes today's output into the documents.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r'(?ms)^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$')
_MAIN = "import sys; from llmperf.interfaces.cli import main; sys.argv[0] = 'llmperf'; main()"
_REST = re.compile(r"\.\.\.(?P<lines>\d*)")


def documents() -> list[Path]:
    """Documents with examples."""
    alone = [DOCS / "index.md", DOCS / "tutorial.md", DOCS / "reference" / "python.md"]
    return [*alone, *sorted((DOCS / "how-to").glob("*.md"))]


def replayed(text: str) -> str:
    """The document with the output that its commands print now.

    Raises
    ------
    AssertionError
        If Python of the document fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _BLOCK.sub(lambda block: _replayed(block, Path(folder)), text)


def _replayed(block: re.Match[str], folder: Path) -> str:
    language, title, body = block["language"], block["title"], block["body"]
    if title:
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, "utf-8")
    elif language == "console":
        commands = [part for part in re.split(r"^(?=\$ )", body, flags=re.MULTILINE) if part]
        return f"```console\n{''.join(_command(part, folder) for part in commands)}```"
    elif language == "python":
        done = _run([sys.executable, "-c", body], folder)
        assert done.returncode == 0, done.stdout
    return block[0]


def _command(part: str, folder: Path) -> str:
    """A command and its output; the exit code stands below it where it is not zero."""
    line, *shown = part.rstrip("\n").split("\n")
    program, *arguments = shlex.split(line.removeprefix("$ "), comments=True)
    start = {"llmperf": [sys.executable, "-c", _MAIN], "python": [sys.executable]}[program]
    done = _run([*start, *arguments], folder)
    lines = [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")]
    if done.returncode:
        lines.append(f"[exit code {done.returncode}]")
    rest = _REST.fullmatch(shown[-1]) if shown else None
    if rest:
        lines = [*lines[: int(rest["lines"] or len(shown) - 1)], "..."]
    return "\n".join([line, *(lines if lines != [""] else [])]) + "\n"


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    env.pop("COLUMNS", None)
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(command, cwd=folder, env=env, stdout=pipe, stderr=both, text=True, check=False, timeout=120)


def main() -> None:
    """Write today's output into the documents."""
    for document in documents():
        text = document.read_text("utf-8")
        new = replayed(text)
        if new != text:
            document.write_text(new, "utf-8")
            print(f"rewrote {document.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
