"""Results in notebooks: tables that hold nothing foreign, figures by name, and the worked example runs."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import llmperf

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
ONE = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=8)
CURVE = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=np.array([1, 8, 64]))
GRID = llmperf.estimate(
    model="llama-3.1-8b", hardware="h100-sxm", batch=np.array([1, 8, 64])[:, None], tp=np.array([1, 2])[None, :]
)
COMPARED = llmperf.compare({"model": "llama-3.1-8b", "hardware": "h100-sxm"}, {"kv_cache": "fp8"})


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += f"{data} "


@pytest.mark.parametrize("result", [ONE, CURVE, GRID, COMPARED], ids=["one", "curve", "grid", "compared"])
def test_a_result_shows_itself_as_a_table_without_scripts(result: Any) -> None:
    found = Tags(result._repr_html_())
    allowed = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "ul", "li"}
    assert set(found.tags) <= allowed
    assert "llama-3.1-8b" in found.words
    assert "TPOT" in found.words


def test_a_name_is_shown_as_text() -> None:
    name = "<script>alert(1)</script>"
    result = llmperf.estimate(model={"extends": "llama-3.1-8b", "name": name}, hardware="h100-sxm")
    found = Tags(result._repr_html_())
    assert "script" not in found.tags
    assert name in found.words


def test_arrays_are_shown_by_their_range_and_how_many_fit() -> None:
    found = Tags(GRID._repr_html_()).words
    assert "3 x 2 configurations" in found
    assert "1 to 64 sequences" in found
    assert "6 of 6 configurations fit" in found


@pytest.mark.parametrize(
    ("result", "kinds"),
    [
        (ONE, ("roofline", "operators", "waits", "memory", "frontier")),
        (CURVE, ("frontier", "curves", "memory")),
        (GRID, ("frontier",)),
        (COMPARED, ("speedup", "roofline", "waits", "memory", "frontier")),
    ],
    ids=["one", "curve", "grid", "compared"],
)
def test_every_figure_of_a_result_is_drawn(result: Any, kinds: tuple[str, ...]) -> None:
    from plotly.graph_objects import Figure

    for kind in kinds:
        figure = result.plot(kind)
        assert isinstance(figure, Figure)
        assert figure.data


def test_operators_are_those_of_the_phase_that_is_asked_for() -> None:
    assert ONE.plot("operators", phase="prefill") != ONE.plot("operators", phase="decode")
    with pytest.raises(llmperf.InputError, match="no phase of this result"):
        llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", output=1).plot("operators", phase="decode")


def test_a_figure_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(llmperf.InputError, match="did you mean roofline"):
        ONE.plot("rofline")
    with pytest.raises(llmperf.InputError, match="allowed: frontier, curves, memory"):
        CURVE.plot("roofline")
    with pytest.raises(llmperf.InputError, match="follows one knob"):
        GRID.plot("curves")


def test_the_frontier_of_a_grid_names_every_configuration_by_what_varies() -> None:
    figure = GRID.plot("frontier")
    said = " ".join(str(text) for trace in figure.data for text in trace.hovertext or ())
    assert re.search(r"batch 64.*tp 2", said)


def test_missing_plotly_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(llmperf.InputError, match=r"pip install 'llmperf\[report\]'"):
        ONE.plot("memory")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_runs_and_every_result_is_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"]
    tables = [output for output in shown if "text/html" in output.get("data", {})]
    figures = [output for output in shown if "application/vnd.plotly.v1+json" in output.get("data", {})]
    assert len(tables) >= 3
    assert len(figures) >= 3
