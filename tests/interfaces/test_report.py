"""Reports as files: what stands in them, that nothing of a file's is interpreted, and what is refused."""

import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import llmperf
from llmperf.answers import sweep as answers_along
from llmperf.answers.comparison import Comparison
from llmperf.errors import InputError
from llmperf.evidence.bands import Ends
from llmperf.interfaces.cli import main
from llmperf.interfaces.cli.ranges import values
from llmperf.interfaces.figures import comparison, error, frontier, memory, operators, roofline, sweep, theme
from llmperf.interfaces.figures.drawing import Drawing, knobs_said
from llmperf.interfaces.report import page as shell
from llmperf.interfaces.report import verdicts
from llmperf.interfaces.report.html import Html, h, table
from llmperf.interfaces.report.inputs import Inputs, catalog_hash, gather
from llmperf.interfaces.report.report import page
from llmperf.interfaces.report.sections import ORDER, sections

pytest.importorskip("plotly")

HOSTILE = "<script>alert(1)</script>"
SCENARIO = {
    "name": HOSTILE,
    "description": "</script><!-- <b>&amp;",
    "model": "llama-3.1-8b",
    "hardware": "h100-sxm",
    "workload": {"batch": 8, "input": 1024, "output": 128},
}


@pytest.fixture(scope="module")
def inputs():
    batches = {"batch": np.array([1.0, 2.0, 4.0, 8.0, 1024.0])}
    return gather([SCENARIO], {}, variants=[{"hardware": "l40s"}], sweeps=batches, date="2026-01-31")


@pytest.fixture(scope="module")
def text(inputs):
    return shell.document(page(inputs))


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data

    def ids(self):
        return [attrs["id"] for _, attrs in self.found if "id" in attrs]

    def of(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["llmperf", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


FLAGS = ("--model", "llama-3.1-8b", "--hardware", "h100-sxm", "--batch", "4")


def test_html_is_text_unless_it_is_said_to_be_html():
    assert h("p", "a < b & c", Html("<b>d</b>"), None, 3) == "<p>a &lt; b &amp; c<b>d</b>3</p>"
    assert h("a", title='"quoted" & <cut>', hidden=True, id=None) == (
        '<a title="&quot;quoted&quot; &amp; &lt;cut&gt;" hidden></a>'
    )
    assert "&lt;td&gt;" in table(["<th>"], [["<td>", "<i>"]])


def test_a_page_is_well_formed_and_its_ids_are_unique(text):
    elements = Elements(text)
    assert elements.open == []
    assert len(elements.ids()) == len(set(elements.ids()))
    targets = {attrs["href"][1:] for attrs in elements.of("a")}
    assert targets <= set(elements.ids())


def test_a_page_asks_for_nothing(text):
    elements = Elements(text)
    policy = next(attrs["content"] for attrs in elements.of("meta") if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split(";")[1]
    assert not [attrs for _, attrs in elements.found if "src" in attrs]
    assert elements.of("link") == []


def test_plotly_stands_in_a_page_once(text):
    scripts = Elements(text).scripts
    assert sum("plotly.js v" in script[:200] for script in scripts) == 1
    assert len(scripts) == 3  # its data, plotly, and what draws them


def test_a_report_of_ten_figures_is_under_six_megabytes(text, inputs):
    assert len(shell.named_drawings(page(inputs).sections)) >= 10
    assert len(text.encode()) < 6e6


def test_names_of_files_are_text_everywhere(text):
    assert HOSTILE not in text
    assert "<!-- <b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    figures = json.loads(Elements(text).scripts[0])["figures"]
    assert HOSTILE not in json.dumps(figures)  # plotly interprets markup in its labels
    assert "&lt;script&gt;" in json.dumps(figures)


def test_every_figure_has_its_data_as_a_table(text, inputs):
    elements = Elements(text)
    ids = set(elements.ids())
    plots = [attrs for attrs in elements.of("div") if attrs.get("class") == "plot"]
    assert len(plots) == len(elements.of("figure")) == len(json.loads(elements.scripts[0])["figures"])
    for plot in plots:
        assert set(plot["aria-describedby"].split()) <= ids
        assert plot["aria-labelledby"] in ids
    for _, drawing in shell.named_drawings(page(inputs).sections):
        assert drawing.rows
        assert all(len(row) == len(drawing.head) for row in drawing.rows)
        assert drawing.caption


def test_the_same_input_gives_the_same_bytes(text):
    batches = {"batch": np.array([1.0, 2.0, 4.0, 8.0, 1024.0])}
    again = gather([SCENARIO], {}, variants=[{"hardware": "l40s"}], sweeps=batches, date="2026-01-31")
    assert shell.document(page(again)) == text


def test_sections_stand_in_their_order_and_empty_ones_do_not(inputs):
    names = [section.name for section in sections(inputs)]
    assert names == [name for name in ORDER if name in names]
    assert {"summary", "comparison", "roofline", "operators", "memory", "throughput", "sweep", "scenario"} <= set(names)
    assert "validation" not in names
    assert [section.name for section in sections(Inputs())] == ["scenario"]


def test_later_sections_have_their_places():
    assert {"serving", "training", "search", "sensitivity"} <= set(ORDER)


def verdict(**keys):
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=8, input=1024, output=128)
    return verdicts.served(result, "tpot_s", keys["most"](result))


def test_a_limit_is_met_surely_or_by_the_projection_or_missed_or_out_of_reach():
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=8, input=1024, output=128)
    high = verdicts.error_bands(result)["decode"].high
    assert verdict(most=lambda r: r.projection.tpot_s * high * 1.01)[0] == "good"
    assert "not surely" in verdict(most=lambda r: r.projection.tpot_s * 1.01)[1]
    assert "missed" in verdict(most=lambda r: r.projection.tpot_s * 0.99)[1]
    assert "cannot" in verdict(most=lambda r: r.bound.tpot_s * 0.99)[1]


def test_what_does_not_fit_is_said_with_what_would():
    result = llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm")
    kind, word, text = verdicts.fits(result)
    assert (kind, word) == ("bad", "Does not fit.")
    assert "It would fit with" in text
    assert "Does not fit." in shell.document(page(Inputs({"70b": result})))
    nothing = verdicts.fits(llmperf.estimate(model="llama-3.1-405b", hardware="gtx-1050-ti"))[2]
    assert "no single change" in nothing
    assert "with one of" not in nothing


@pytest.mark.parametrize("metric", ["ttft_s", "tpot_s"])
def test_no_limit_is_met_by_what_does_not_fit(metric):
    result = llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm")
    kind, word, _ = verdicts.served(result, metric, 1000.0)
    assert kind == "bad"
    assert word.endswith("not served, does not fit.")
    text = shell.document(page(Inputs({"70b": result}, limits={metric: 1000.0})))
    assert "is met" not in text


@pytest.mark.parametrize(("name", "hardware"), [("llama-3.1-405b", "rtx-4090"), ("llama-3.1-70b", "gtx-1050-ti")])
def test_a_slow_rate_is_not_zero(name, hardware):
    result = llmperf.estimate(model=name, hardware=hardware)
    text = shell.document(page(Inputs({"slow": result})))
    assert f'<div class="value">{result.output_tokens_per_s:.3g}</div>' in text


@pytest.mark.parametrize(
    "keys",
    [
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "output": 1},
        {"model": "bert-base-uncased", "hardware": "a100-sxm-80gb", "batch": 4},
        {"model": "mixtral-8x7b", "hardware": "h100-sxm", "tp": 2, "pp": 2, "batch": 16},
        {"model": "llama-3.1-70b", "hardware": "gh200-96gb", "tiers": ["hbm", "lpddr"]},
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "maximize": "batch"},
    ],
)
def test_every_kind_of_scenario_has_a_report(keys):
    try:
        result = llmperf.estimate(**keys)
    except InputError as error:
        pytest.skip(str(error))
    elements = Elements(shell.document(page(Inputs({"it": result}))))
    assert len(elements.of("figure")) >= 5


SERVICE = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "vllm", "workload": {"output": 128}}


def served(asked=None, **traffic):
    made = gather([{**SERVICE, "traffic": traffic}], {}, limits=asked)
    (result,) = made.results.values()
    return made, result


@pytest.mark.parametrize(
    "traffic",
    [
        {"request_rate": 10, "limits": {"ttft": 0.1}},
        {"request_rate": 1000, "limits": {"tpot": 0.02}},
        {"concurrency": 64},
        {"users": 900, "think_time": 1.0},
        {"requests": 500},
    ],
)
def test_every_kind_of_service_has_a_report(traffic):
    made, _ = served(**traffic)
    assert [one.name for one in sections(made) if one.name in ("serving", "throughput", "cost")] == ["serving"]
    text = shell.document(page(made))
    elements = Elements(text)
    assert len(elements.ids()) == len(set(elements.ids()))
    assert len(elements.of("figure")) >= 6
    for drawing in (one for section in page(made).sections for one in section.drawings):
        assert not any(word in row for row in drawing.rows for word in ("nan", "inf"))


def test_a_service_keeps_up_or_is_saturated_and_keeps_its_limits_or_not():
    most = float(served(request_rate=1)[1].saturation_rate_per_s)
    for rate, limit, kinds in (
        (0.3 * most, 10.0, ["good", "good", "good"]),
        (0.3 * most, 1e-3, ["good", "good", "bad"]),
        (1.1 * most, 10.0, ["good", "bad", "bad"]),
    ):
        made, result = served(request_rate=rate, limits={"ttft": limit})
        assert [kind for kind, _, _ in verdicts.of_service(result)] == kinds
        assert "saturation" in shell.document(page(made))
    band = verdicts.error_bands(result)["ttft"].high
    late = float(served(request_rate=1)[1].ttft_p90_s)
    (*_, (kind, word, _)) = verdicts.of_service(served(request_rate=1, limits={"ttft": (1.0 + band) / 2.0 * late})[1])
    assert (kind, word) == ("unsure", "TTFT, p90 is met, not surely.")


def test_a_limit_on_any_percentile_has_a_verdict():
    late = float(served(request_rate=10)[1].ttft_p99_s)
    for limit, kind in ((2.0 * late, "unsure"), (0.5 * late, "bad")):
        (*_, (found, word, _)) = verdicts.of_service(
            served(request_rate=10, limits={"ttft": limit, "percentile": 95})[1]
        )
        assert found == kind
        assert word.startswith("TTFT, p95 is ")


def test_limits_of_the_report_are_those_of_requests_where_there_are_requests():
    _, result = served({"ttft_s": 0.5}, request_rate=5, limits={"ttft": 9.0, "e2e": 8.0})
    limits = result.scenario.traffic.limits
    assert (limits.ttft, limits.e2e) == (0.5, 8.0)
    words = [word for _, word, _ in verdicts.of_service(result)]
    assert [word.split(" met")[0] for word in words[2:]] == ["TTFT, p90 is", "end to end, p90 is"]
    batch = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
    both = gather([{**SERVICE, "traffic": {"concurrency": 4}}, batch], {}, limits={"ttft_s": 0.5})
    shown = shell.document(page(both))
    assert "TTFT, p90 is met" in shown
    assert "TTFT is met." in shown
    assert "What makes the difference" in shown


def test_the_command_takes_rates_and_limits(monkeypatch, capsys, tmp_path):
    path = tmp_path / "a.html"
    flags = ("--model", "llama-3.1-8b", "--hardware", "h100-sxm", "--engine", "vllm", "--rate", "10")
    code, said, _ = run(monkeypatch, capsys, *flags, "--ttft", "100ms", "--sweep", "request_rate=5,10", "-o", path)
    assert (code, said.count("\n")) == (0, 1)
    text = path.read_text("utf-8")
    assert "TTFT, p90 is met" in text
    assert "most within limits" in text


def estimate(**keys):
    return llmperf.estimate(**{"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 8, **keys})


def both():
    return {"one": estimate(), "<other>": estimate(hardware="h200-sxm")}


def along(knob, values):
    return memory.memory_against(answers_along.against("<other>", estimate(), knob, values(estimate())), 8.0)


def along_batch():
    results = both()
    sweeps = {
        name: answers_along.against(name, result, "batch", answers_along.batches(result))
        for name, result in results.items()
    }
    return frontier.throughput_latency(results, sweeps)


def compared():
    return comparison.speedups(Comparison(tuple(both()), tuple(both().values())))


DRAWINGS = {
    "roofline": lambda: roofline.roofline(both()),
    "hierarchical roofline": lambda: roofline.roofline({"<other>": estimate()}, hierarchical=True),
    "waits": lambda: operators.waits(both()),
    "operators": lambda: operators.operator_times(estimate(), "decode"),
    "memory": lambda: memory.memory(both()),
    "memory along the batch": lambda: along("batch", answers_along.batches),
    "memory along the input": lambda: along("input", answers_along.inputs),
    "throughput": along_batch,
    "comparison": compared,
}


@pytest.mark.parametrize("build", DRAWINGS.values(), ids=DRAWINGS)
def test_figures_draw_finite_numbers_in_the_shared_theme(build):
    drawing = build()
    assert isinstance(drawing, Drawing)
    assert len(drawing.figure.data) > 0
    assert list(drawing.figure.layout.template.layout.colorway) == list(theme.PALETTE)
    assert "<other>" not in drawing.figure.to_json()
    for trace in drawing.figure.data:
        for axis in (trace.x, trace.y):
            numbers = [one for one in axis if isinstance(one, int | float | np.number)]
            assert np.isfinite(numbers).all()


def test_operators_lie_under_their_roofs():
    for point in roofline.of_estimate(estimate()).points:
        assert point.flops_per_s <= point.roofline_flops_per_s * 1.000001


def test_memory_of_the_figure_adds_up_to_what_is_required():
    one = estimate()
    made = memory.memory({"one": one}).figure
    bars = sum(trace.x[0] for trace in made.data if trace.type == "bar")
    assert bars == pytest.approx(one.memory.required / 2**30)


def test_bars_of_what_is_waited_for_add_up_to_one():
    bars = [trace.x for trace in operators.waits({"one": estimate()}).figure.data]
    assert np.sum(bars, axis=0) == pytest.approx(1.0)


def test_the_front_holds_what_nothing_beats():
    rng = np.random.default_rng(1)
    cost, gain = rng.integers(0, 20, 200).astype(float), rng.integers(0, 20, 200).astype(float)
    best = set(frontier.front(cost, gain).tolist())
    for index in range(200):
        beaten = ((cost <= cost[index]) & (gain >= gain[index]) & ((cost < cost[index]) | (gain > gain[index]))).any()
        if index in best:
            assert not beaten
        elif not beaten:  # equal to one of the front
            assert any(cost[one] == cost[index] and gain[one] == gain[index] for one in best)


def test_many_points_are_thinned_and_the_figure_says_so():
    batch = np.arange(1.0, 10_001.0)
    found = answers_along.Sweep("one", {"batch": batch}, estimate(batch=batch, input=4, output=4))
    assert len(sweep.curves(found).figure.data[0].x) <= sweep.MOST_POINTS
    assert "One in 5 values" in sweep.curves(found).caption
    assert "One in" in frontier.pareto([found]).caption
    pairs = [error.Pair("id", "time_s", "me", 1.0 + i, 1.0 + i, False) for i in range(5000)]
    assert "One in 3 rows" in error.scatter("error", "", pairs).caption


def test_rates_beside_a_band_are_drawn_as_times():
    pair = error.Pair("id", "output_tokens_per_s", "me", 100.0, 200.0, True)
    band = error.Band("decode", 1.0, Ends(0.5, 2.0, 0.8), None, 30, 8, 3, ())
    trace = error.scatter("error", "", [pair], band).figure.data[0]
    assert (trace.x[0], trace.y[0]) == (1 / 100, 1 / 200)


@pytest.mark.parametrize(
    ("written", "key", "expected"),
    [
        ("batch=1,2,4", "batch", [1, 2, 4]),
        ("batch=1:16:x2", "batch", [1, 2, 4, 8, 16]),
        ("input=512:2048:512", "input", [512, 1024, 1536, 2048]),
        ("shared-prefix=1:3:1", "shared_prefix", [1, 2, 3]),
        ("hardware.tiers.hbm.bandwidth=2 TB/s,4 TB/s", "hardware.tiers.hbm.bandwidth", [2e12, 4e12]),
        ("hardware.tiers.hbm.bandwidth=1 TB/s:4 TB/s:x2", "hardware.tiers.hbm.bandwidth", [1e12, 2e12, 4e12]),
    ],
)
def test_knobs_are_written_as_lists_or_ranges(written, key, expected):
    name, found = values(written)
    assert name == key
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "written",
    ["batch", "batch=", "=1,2", "batch=a,b", "batch=1:2", "batch=4:1:x2", "batch=1:4:x1", "batch=1:4:0", "batch=0:4:x2",
     "batch=1:1e9:1", "batch=1:2:3:4", "batch=nan,1", "batch=1:inf:1"],
)  # fmt: skip
def test_knobs_that_are_none_are_refused(written):
    with pytest.raises(InputError) as refused:
        values(written)
    assert refused.value.problems[0].path == "--sweep"


def test_two_knobs_are_combined():
    knobs = {"batch": np.array([1.0, 2.0]), "input": np.array([128.0, 256.0, 512.0])}
    inputs = gather([SCENARIO], {}, sweeps=knobs)
    assert len(inputs.sweeps[0]) == 6
    assert knobs_said(inputs.sweeps[0], 5) == "batch 2, input 512"
    swept = next(section for section in sections(inputs) if section.name == "sweep")
    assert [drawing.name for drawing in swept.drawings] == ["pareto"]


def test_the_catalog_hash_follows_the_descriptors(tmp_path):
    (tmp_path / "models").mkdir()
    before = catalog_hash()
    assert catalog_hash() == before
    (tmp_path / "models" / "mine.yaml").write_text("name: mine\n")
    assert catalog_hash((str(tmp_path),)) != before


def test_the_command_writes_a_file_and_says_so(monkeypatch, capsys, tmp_path):
    path = tmp_path / "deep" / "my.html"
    code, out, err = run(monkeypatch, capsys, *FLAGS, "-o", path, "--date", "2026-01-31", "--tpot", "20 ms")
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: ")
    content = path.read_text("utf-8")
    assert "2026-01-31" in content
    assert "TPOT is met." in content
    assert list(path.parent.iterdir()) == [path]  # nothing half-written is left


def test_the_command_answers_in_json(monkeypatch, capsys, tmp_path):
    path = tmp_path / "my.html"
    code, out, _ = run(monkeypatch, capsys, *FLAGS, "-o", path, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["file"] == str(path)
    assert data["bytes"] == path.stat().st_size
    assert {"summary", "scenario"} <= set(data["sections"])


def test_a_file_is_replaced_only_when_told(monkeypatch, capsys, tmp_path):
    path = tmp_path / "my.html"
    path.write_text("mine")
    code, _, err = run(monkeypatch, capsys, *FLAGS, "-o", path)
    assert code == 2
    assert "--force" in err
    assert path.read_text() == "mine"
    assert run(monkeypatch, capsys, *FLAGS, "-o", path, "--force")[0] == 0
    assert path.read_text("utf-8").startswith("<!doctype html>")


def test_split_pages_share_one_script(monkeypatch, capsys, tmp_path):
    for name in ("a.html", "b.html"):
        assert run(monkeypatch, capsys, *FLAGS, "-o", name, "--split", tmp_path)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html", shell.SCRIPT]
    text = (tmp_path / "a.html").read_text("utf-8")
    assert len(text) < 500_000
    assert [attrs["src"] for attrs in Elements(text).of("script") if "src" in attrs] == [shell.SCRIPT]


def test_several_scenarios_and_changes_are_compared(monkeypatch, capsys, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("model: llama-3.1-8b\nhardware: h200-sxm\n")
    mine = tmp_path / "mine.yaml"
    mine.write_text("model: llama-3.1-8b\nhardware: h100-sxm\n")
    path = tmp_path / "my.html"
    assert run(monkeypatch, capsys, mine, other, "--with", "kv_cache=fp8", "-o", path)[0] == 0
    content = path.read_text("utf-8")
    assert all(label in content for label in ("mine", "other", "kv_cache=fp8", "What makes the difference"))


def test_measured_data_are_recomputed(monkeypatch, capsys, tmp_path):
    path = tmp_path / "my.html"
    code, out, _ = run(monkeypatch, capsys, "--validate", "splitwise_phases", "-o", path, "--json")
    assert code == 0
    assert json.loads(out)["sections"] == ["validation", "scenario"]
    assert "not expressible" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "lama-3.1-8b", "--hardware", "h100-sxm"), "llama-3.1-8b"),
        ((*FLAGS, "--with", "kv_cache"), "key=value"),
        ((*FLAGS, "--sweep", "batch"), "key=values"),
        ((*FLAGS, "--sweep", "weights=1,2"), "weights"),
        ((*FLAGS, "--sweep", "bach=1,2"), "batch"),
        ((*FLAGS, "--sweep", "batch=1:64:x2", "--sweep", "batch=2"), "'batch' is swept twice"),
        ((*FLAGS, "--sweep", "batch=1:64:x2", "--sweep", "workload.batch=2"), "'workload.batch' is swept twice"),
        ((*FLAGS, "--date", "yesterday"), "date"),
        ((*FLAGS, "--ttft", "5 GiB"), "--ttft"),
        ((*FLAGS, "--tpot", "0 ms"), "--tpot"),
        ((*FLAGS, "--validate", "no-such.csv"), "no-such.csv"),
        ((), "model"),
    ],
)
def test_wrong_input_is_one_message_and_nothing_is_written(monkeypatch, capsys, tmp_path, arguments, said):
    path = tmp_path / "my.html"
    code, out, err = run(monkeypatch, capsys, *arguments, "-o", path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert not path.exists()


def test_a_folder_is_no_file(monkeypatch, capsys, tmp_path):
    code, _, err = run(monkeypatch, capsys, *FLAGS, "-o", tmp_path)
    assert code == 2
    assert "is a directory" in err


def test_without_plotly_it_says_what_to_install_before_it_computes(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setattr("llmperf.interfaces.report.inputs.gather", lambda *_, **__: pytest.fail("computed"))
    code, _, err = run(monkeypatch, capsys, *FLAGS, "-o", tmp_path / "my.html")
    assert code == 2
    assert "pip install 'llmperf[report]'" in err


def test_without_kaleido_pictures_say_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("llmperf.interfaces.report.pictures.find_spec", lambda _: None)
    code, _, err = run(monkeypatch, capsys, *FLAGS, "-o", tmp_path / "my.html", "--png", tmp_path)
    assert code == 2
    assert "pip install 'llmperf[pictures]'" in err
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_loads_no_figures():
    code = (
        "import sys, llmperf; llmperf.estimate(model='llama-3.1-8b', hardware='h100-sxm'); print(sorted(sys.modules))"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not re.search(r"'plotly|'rich|interfaces\.figures|interfaces\.report", done.stdout)
