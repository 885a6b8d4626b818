"""Statistics of request traces: what went in comes out, and what cannot be is refused with its line."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.errors import MAX_PROBLEMS, InputError
from llmperf.importers.traces import reading
from llmperf.importers.traces.statistics import TraceStatistics, traffic

TRACES = Path(__file__).parents[1] / "data" / "traces"
HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens"


def lognormal(chance: np.random.Generator, mean: float, cv: float, number: int) -> Any:
    spread = np.log1p(cv**2)
    return np.maximum(np.round(np.exp(chance.normal(np.log(mean) - spread / 2, np.sqrt(spread), number))), 1)


def written(
    path: Path, times: Any, inputs: Any, outputs: Any, head: str = "arrived_at,input_tokens,output_tokens"
) -> Path:
    rows = (f"{t!r},{i:.0f},{o:.0f}" for t, i, o in zip(times.tolist(), inputs, outputs, strict=True))
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def lines(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def found(path: Path, *rows: str, head: str = HEAD, **asked: Any) -> TraceStatistics:
    path.write_text("\n".join([head, *rows]) + "\n")
    return traffic(path, **asked)


@given(
    st.floats(0.3, 20.0), st.floats(0.2, 4.0), st.floats(80.0, 4000.0), st.floats(0.1, 1.5), st.integers(0, 2**32 - 1)
)
def test_what_a_trace_was_drawn_from_comes_back(
    tmp_path: Path, rate: float, shape: float, mean: float, cv: float, seed: int
) -> None:
    chance, number = np.random.default_rng(seed), 20_000
    times = np.cumsum(chance.gamma(shape, 1.0 / (shape * rate), number))
    inputs = lognormal(chance, mean, cv, number)
    one = traffic(written(tmp_path / "t.csv", times, inputs, lognormal(chance, 200.0, 0.5, number)))
    assert one.arrivals is not None
    assert one.arrivals.rate == pytest.approx(rate, rel=6.0 / np.sqrt(shape * number))
    assert one.arrivals.burstiness == pytest.approx(shape, rel=0.2)
    assert not one.arrivals.drifts
    assert one.input.mean == pytest.approx(mean, rel=0.06)
    assert one.input.cv == pytest.approx(cv, rel=0.2)
    assert one.output.p50 == pytest.approx(200.0 / np.sqrt(1.25), rel=0.05)
    assert one.input.p50 <= one.input.p90 <= one.input.p99
    assert abs(one.correlation) < 0.1


def test_a_rate_that_drifts_is_no_burst(tmp_path: Path) -> None:
    """Poisson arrivals ten times as fast by day: over all gaps they look like bursts, within stretches they do not."""
    chance = np.random.default_rng(1)
    gaps = np.concatenate([chance.exponential(1.0 / rate, 4000) for rate in (1.0, 10.0, 1.0, 10.0)])
    one = traffic(written(tmp_path / "t.csv", np.cumsum(gaps), np.full(16_000, 10.0), np.full(16_000, 5.0)))
    assert one.arrivals is not None
    assert one.arrivals.drifts
    assert one.arrivals.burstiness is not None
    assert one.arrivals.burstiness < 0.7
    assert one.arrivals.steady == pytest.approx(1.0, rel=0.1)
    assert one.entry()["burstiness"] == one.arrivals.steady
    assert one.arrivals.busiest["minute"] == pytest.approx(10.0, rel=0.3)


@pytest.mark.parametrize("shape", [0.3, 1.0, 3.0])
def test_times_on_a_grid_are_counted(tmp_path: Path, shape: float) -> None:
    """Three seconds hold ten requests: their gaps, most of them zero, would say that they come in bursts."""
    chance = np.random.default_rng(2)
    times = np.floor(np.cumsum(chance.gamma(shape, 0.3 / shape, 60_000)) / 3.0) * 3.0
    one = traffic(written(tmp_path / "t.csv", times, np.full(60_000, 10.0), np.full(60_000, 5.0)))
    assert one.arrivals is not None
    assert one.arrivals.grid_s == 3.0
    assert one.arrivals.burstiness == pytest.approx(shape, rel=0.2)


def test_what_comes_like_a_clock_is_even_and_finite(tmp_path: Path) -> None:
    one = traffic(written(tmp_path / "t.csv", np.arange(200.0), np.full(200, 10.0), np.full(200, 5.0)))
    assert one.arrivals is not None
    assert one.arrivals.burstiness == 1e6
    assert one.entry()["input"] == {"mean": 10.0}  # equal lengths have no percentiles


class TestFormats:
    def test_azure(self) -> None:
        one = traffic(TRACES / "azure.csv")
        assert (one.format, one.requests) == ("Azure LLM inference trace", 5)
        assert one.arrivals is not None
        assert one.arrivals.span_s == pytest.approx(5.11904)
        assert one.input.mean == pytest.approx(3113.0)

    def test_burstgpt_leaves_out_what_failed_and_what_is_not_asked_for(self) -> None:
        one = traffic(TRACES / "burstgpt.csv", where={"Model": "GPT-4"})
        assert (one.format, one.requests) == ("BurstGPT", 2)
        assert one.left_out == {"not asked for": 2, "without an answer": 1}

    def test_mooncake_counts_blocks_that_an_earlier_prompt_had(self) -> None:
        one = traffic(TRACES / "mooncake.jsonl")
        assert one.arrivals is not None
        assert one.arrivals.span_s == 9.1  # milliseconds
        reused = (512, 13 * 512, 512, 2 * 512, 512)
        assert one.prefix_hit == pytest.approx(sum(reused) / (6758 + 7322 + 7258 + 910 + 2580 + 512), rel=1e-5)

    def test_qwen_has_seconds_small_blocks_and_conversations(self) -> None:
        one = traffic(TRACES / "qwen.jsonl")
        assert one.arrivals is not None
        assert one.arrivals.span_s == 60.0
        assert one.prefix_hit == pytest.approx((48 + 80) / (40 + 70 + 33 + 90), rel=1e-5)
        assert one.conversations is not None
        assert (one.conversations.count, one.conversations.turns_mean) == (2, 2.0)

    def test_aiperf_counts_what_was_answered(self) -> None:
        one = traffic(TRACES / "aiperf.jsonl")
        assert (one.requests, one.left_out) == (4, {"warming up": 1, "failed or cancelled": 1})
        assert one.conversations is not None
        assert one.conversations.pause_p50_s == pytest.approx(0.25)

    def test_a_chat_is_one_request_an_answer(self) -> None:
        one = traffic(TRACES / "sharegpt.json", chars_per_token=4.0)
        assert (one.requests, one.arrivals) == (3, None)
        assert one.input.mean == pytest.approx((10 + 35 + 10) / 3, rel=1e-5)
        assert one.prefix_hit == pytest.approx(30 / 55, rel=1e-5)
        first = traffic(TRACES / "sharegpt.json", chars_per_token=4.0, first_turn=True)
        assert (first.requests, first.input.mean, first.prefix_hit) == (2, 10.0, None)

    def test_texts_are_not_tokens(self) -> None:
        with pytest.raises(InputError, match="--chars-per-token"):
            traffic(TRACES / "sharegpt.json")

    def test_the_name_of_a_file_says_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_bytes((TRACES / "azure.csv").read_bytes())
        assert traffic(tmp_path / "x.yaml").format == "Azure LLM inference trace"

    def test_columns_of_other_names_are_asked_for(self, tmp_path: Path) -> None:
        rows = ("0;12;3", "500;14;5")
        with pytest.raises(InputError, match="--column output=NAME"):
            found(tmp_path / "t.csv", *rows, head="when;prompt_tokens;said")
        asked = {"columns": {"time": "when", "output": "said"}, "time_unit": "ms"}
        one = found(tmp_path / "t.csv", *rows, head="when;prompt_tokens;said", **asked)
        assert one.arrivals is not None
        assert (one.arrivals.span_s, one.output.mean) == (0.5, 4.0)

    @pytest.mark.parametrize(
        ("name", "later", "span"),
        [("timestamp", 1.7e9, 1.0), ("timestamp", 1.7e12, 1e-3), ("timestamp_ms", 5.0, 1e-3), ("time_us", 5.0, 1e-6)],
    )
    def test_the_unit_of_times_is_said_by_their_name_or_size(
        self, tmp_path: Path, name: str, later: float, span: float
    ) -> None:
        rows = (f"{later},10,3", f"{later + 1},10,3")
        one = found(tmp_path / "t.csv", *rows, head=f"{name},prompt_tokens,completion_tokens")
        assert one.arrivals is not None
        assert one.arrivals.span_s == pytest.approx(span, rel=1e-3)

    def test_offsets_of_dates_are_applied(self, tmp_path: Path) -> None:
        rows = ("2024-05-10 02:00:00+02:00,10,3", "2024-05-10T00:00:30Z,10,3")
        one = found(tmp_path / "t.csv", *rows)
        assert one.arrivals is not None
        assert one.arrivals.span_s == 30.0

    def test_a_cell_may_hold_ends_of_lines(self, tmp_path: Path) -> None:
        rows = ('0,10,3,"two\nlines"', "1,x,3,one")
        with pytest.raises(InputError, match=r"t.csv:4: prompt_tokens: 'x'"):
            found(tmp_path / "t.csv", *rows, head="time,prompt_tokens,completion_tokens,text")


REFUSED = {
    "negative": (("2024-01-01 00:00:00,-5,1",), r":2: input: is no number of tokens"),
    "no prompt": (("2024-01-01 00:00:00,0,1",), r":2: input: is no number of tokens"),
    "not finite": (("2024-01-01 00:00:00,inf,1",), r":2: input: is no number of tokens"),
    "no number": (("2024-01-01 00:00:00,7,1", "2024-01-01 00:00:01,x,1"), r":3: ContextTokens: 'x' is not a number"),
    "no time": (("2024-01-01 00:00:00,7,1", "2024-13-01,7,1"), r":3: TIMESTAMP: '2024-13-01' is no time"),
    "no answer at all": (("2024-01-01 00:00:00,7,0",), "holds no request with an answer"),
    "narrow": (("2024-01-01 00:00:00,7",), ":2: has 2 cells, the header 3"),
    "out of order": (("2024-01-01 01:00:00,7,1", "2024-01-01 00:00:00,7,1"), r":3: time: is more than 60 s earlier"),
    "no rows": ((), "holds no request"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    rows, said = REFUSED[name]
    with pytest.raises(InputError, match=said):
        found(tmp_path / "t.csv", *rows)


def test_every_broken_line_is_named_up_to_the_most_that_a_message_lists(tmp_path: Path) -> None:
    good = {"timestamp": 0, "input_length": 5, "output_length": 1}
    bad = [{**good, "input_length": "x"}, {**good, "timestamp": None}, [1], {**good, "output_length": True}]
    with pytest.raises(InputError) as refused:
        traffic(lines(tmp_path / "t.jsonl", [good, *bad, good]))
    assert [one.line for one in refused.value.problems] == [2, 3, 4, 5]
    with pytest.raises(InputError) as refused:
        traffic(lines(tmp_path / "t.jsonl", [good, *(bad[:1] * 10_000)]))
    assert len(refused.value.problems) == MAX_PROBLEMS


def test_late_lines_within_a_minute_are_put_in_order(tmp_path: Path) -> None:
    one = found(tmp_path / "t.csv", "10,7,1", "0,9,1", "20,8,1", head="time,prompt_tokens,completion_tokens")
    assert one.arrivals is not None
    assert (one.arrivals.span_s, one.requests) == (20.0, 3)


SPOILT = {
    "empty": b" \n",
    "binary": b"a\0b",
    "packed": b"\x1f\x8b\x08\x00rest",
    "latin": b"TIMESTAMP,ContextTokens,GeneratedTokens\n\xff,1,1\n",
    "deep": b"[" * 100_000,
    "deep line": b'{"a":' * 100_000,
    "long number": b'{"timestamp":0,"input_length":' + b"9" * 5000 + b',"output_length":1}',
    "quotes": b'TIMESTAMP,ContextTokens,GeneratedTokens\n"1,2,3',
    "header alone": b"TIMESTAMP,ContextTokens,GeneratedTokens",
    "no list of ids": b'{"timestamp":0,"input_length":9,"output_length":1,"hash_ids":[[]]}',
    "cut": b'[{"conversations":[]},',
    "half a pair": b'{"timestamp":0,"input_length":9,"output_length":1,"session_id":"\\ud800"}\n{',
}


@pytest.mark.parametrize("name", SPOILT)
def test_hostile_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(SPOILT[name])
    with pytest.raises(InputError) as refused:
        traffic(tmp_path / name, chars_per_token=4.0)
    assert all(one.file == str(tmp_path / name) for one in refused.value.problems)


def test_a_file_that_is_too_large_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="is larger than"):
        traffic(TRACES / "azure.csv")


def test_requests_of_which_less_is_known_are_refused(tmp_path: Path) -> None:
    good = {"timestamp": 0, "input_length": 5, "output_length": 1, "session_id": "a"}
    later = {"delay": 10, "input_length": 5, "output_length": 1, "session_id": "a"}
    one = traffic(lines(tmp_path / "t.jsonl", [good, later]))  # a further turn, after its pause
    assert one.arrivals is None
    alone = {key: good[key] for key in good if key != "session_id"}
    with pytest.raises(InputError, match=":2: says other things"):
        traffic(lines(tmp_path / "t.jsonl", [alone, {**alone, "chat_id": 1}]))


def test_blocks_of_no_known_size_tell_no_reuse(tmp_path: Path) -> None:
    rows = [{"timestamp": t, "input_length": 100, "output_length": 1, "hash_ids": [1, 2, 3]} for t in range(3)]
    assert traffic(lines(tmp_path / "t.jsonl", rows)).prefix_hit is None


def test_reuse_is_that_of_a_cache_request_by_request(tmp_path: Path) -> None:
    """Beside the plainest possible cache: a set of blocks, asked in order of arrival."""
    chance = random.Random(5)
    rows = []
    for time in range(400):
        length = chance.randint(1, 40 * 16)
        number = -(-length // 16)
        common = chance.randint(0, number)
        ids = [
            f"{chance.randint(0, 3)}-{place}" if place < common else f"own-{time}-{place}" for place in range(number)
        ]
        rows.append({"timestamp": time, "input_length": length, "output_length": 3, "hash_ids": ids})
    cache: set[str] = set()
    hits = 0
    for row in rows:
        leading = next((place for place, one in enumerate(row["hash_ids"]) if one not in cache), len(row["hash_ids"]))
        hits += min(16 * leading, row["input_length"])
        cache |= {*row["hash_ids"]}
    chance.shuffle(rows)
    for row in rows:
        row["timestamp"] *= 100  # within a minute, so that the order of lines does not count
    one = traffic(lines(tmp_path / "t.jsonl", rows))
    assert one.prefix_hit == pytest.approx(hits / sum(row["input_length"] for row in rows), rel=1e-5)


@pytest.mark.parametrize("name", sorted(path.name for path in TRACES.iterdir()))
def test_what_is_found_is_the_traffic_of_a_scenario(name: str) -> None:
    one = traffic(TRACES / name, chars_per_token=4.0)
    asked = {"traffic": one.entry(), **({"request_rate": 2.0} if one.arrivals is None else {})}
    read = llmperf.load({"model": "llama-3.1-8b", "hardware": "h100-sxm", **asked}).scenario.traffic
    assert read is not None
    assert read.input.mean == one.input.mean
    assert read.prefix_hit == (one.prefix_hit or 0.0)
