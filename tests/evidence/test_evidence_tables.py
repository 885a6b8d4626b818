"""Measured data as users bring it: every fault is named in a few plain lines, and nothing is half-read."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmperf.errors import InputError
from llmperf.evidence import tables
from llmperf.evidence.validate import evaluate
from llmperf.scenarios.components import component

Run = Callable[..., subprocess.CompletedProcess[str]]
HEAD = "device,dtype,m,n,k,time_us,kernel,source"
GOOD = f"{HEAD}\nH100,bfloat16,512,8192,4096,70,none,mine\n"

FAULTS: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("empty", b"", ("empty",)),
    ("header-only", HEAD.encode(), ("no rows",)),
    ("missing-column", GOOD.replace(",k,", ",kk,").encode(), ("gemm", " k", "kk")),
    ("unknown-time-unit", GOOD.replace("time_us", "time_min").encode(), ("time_us", "time_ms", "time")),
    ("text-in-number", GOOD.replace("8192", "many").encode(), ("'many'", ":2", "n")),
    ("nan", GOOD.replace(",70,", ",nan,").encode(), ("nan", ":2", "time_us")),
    ("infinite", GOOD.replace(",70,", ",inf,").encode(), ("inf", "finite")),
    ("negative-time", GOOD.replace(",70,", ",-70,").encode(), ("-70", "more than 0")),
    ("zero-time", GOOD.replace(",70,", ",0,").encode(), ("'0'", "more than 0")),
    ("missing-cell", GOOD.replace(",70,", ",,").encode(), ("time_us", ":2")),
    ("ragged", f"{GOOD}H100,bfloat16,1\n".encode(), (":3", "3 cells", "8")),
    ("duplicate-column", GOOD.replace("dtype", "device", 1).encode(), ("device", "twice")),
    ("nameless-column", GOOD.replace("dtype", "", 1).encode(), ("column 2", "no name")),
    ("latin-1", GOOD.replace("mine", "mémoire").encode("latin-1"), ("UTF-8", ":2")),
    ("binary", b"\x00\x01\x02", ("binary",)),
    ("no-known-format", b"a,b\n1,2\n", ("no known data set", "would need")),
]


@pytest.mark.parametrize(("content", "said"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_wrong_file_is_named_in_plain_lines(content: bytes, said: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    file = tmp_path / "measured.csv"
    file.write_bytes(content)
    done = run("validate", "--data", str(file))
    assert done.returncode == 2
    assert not done.stdout
    assert "Traceback" not in done.stderr
    assert "measured.csv" in done.stderr
    for part in said:
        assert part in done.stderr, done.stderr


def test_all_faults_of_a_file_are_named_at_once_also_as_json(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "measured.csv"
    file.write_text(f"{HEAD}\nH100,bfloat16,-1,8192,4096,70,none,mine\nH100,bfloat16,1,x,4096,nan,none,mine\n")
    done = run("validate", "--data", str(file), "--json")
    errors = json.loads(done.stdout)["errors"]
    assert done.returncode == 2
    assert {(error["line"], error["path"]) for error in errors} == {(2, "m"), (3, "n"), (3, "time_us")}


def test_times_in_other_units_are_the_same_times(tmp_path: Path, answer: Callable[..., dict[str, Any]]) -> None:
    texts = {"time_us": "70", "time_ms": "0.07", "time_s": "7e-5", "time_ns": "70000"}
    found = []
    for column, value in texts.items():
        file = tmp_path / f"{column}.csv"
        file.write_text(GOOD.replace("time_us", column).replace(",70,", f",{value},"))
        found.append(answer("validate", "--data", str(file))["rows"][0])
    assert all(row["measured"] == pytest.approx(7e-5) for row in found)
    assert len({row["projection"] for row in found}) == 1


def test_a_byte_order_mark_and_a_packed_file_are_read(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    packed.write_bytes(gzip.compress(GOOD.encode()))
    assert tables.read(plain).columns == tables.read(packed).columns


def test_what_is_no_gzip_file_or_unpacks_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_text(GOOD)
    with pytest.raises(InputError, match="gzip"):
        tables.read(file)
    file.write_bytes(gzip.compress(b"a" * 100_000))
    monkeypatch.setattr(tables, "MAX_BYTES", 10_000)
    with pytest.raises(InputError, match="larger"):
        tables.read(file)


def test_more_rows_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 100)
    with pytest.raises(InputError, match="more than 100 rows"):
        tables.parse(("a,b\n" + "1,2\n" * 101).encode(), "big.csv")


def test_a_file_that_is_not_there_or_a_directory_without_tables_is_named(tmp_path: Path, run: Run) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        done = run("validate", "--data", str(path))
        assert done.returncode == 2
        assert str(path) in done.stderr


def test_an_unknown_device_is_counted_not_dropped(tmp_path: Path, answer: Callable[..., dict[str, Any]]) -> None:
    file = tmp_path / "measured.csv"
    file.write_text(GOOD + "H1000,bfloat16,512,8192,4096,70,none,mine\n")
    found = answer("validate", "--data", str(file))
    assert len(found["rows"]) == 1
    assert [row["id"] for row in found["not_expressible"]] == ["gemm:3"]
    assert "H1000" in found["not_expressible"][0]["why"]
    assert found["summary"][0]["expressible_fraction"] == 0.5


def test_markup_in_a_file_stays_text(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "measured.csv"
    file.write_text(f"id,{HEAD}\n[red]<script>,H100,bfloat16,512,8192,4096,70,none,mine\n[/],[b]x,fp8,1,1,1,1,a,b\n")
    page = tmp_path / "page.html"
    done = run("validate", "--data", str(file), "--rows", "5", "--html", str(page))
    assert done.returncode == 0, done.stderr
    assert "[red]<script>" in done.stdout
    text = page.read_text()
    assert "[red]<script>" not in text.replace("&lt;", "")
    assert "device [b]x" in text


def test_optional_numbers_take_their_default_where_a_cell_is_empty() -> None:
    table = tables.parse(b"a,b\n1,\n2,5\n", "t.csv")
    assert np.array_equal(table.numbers("b", 3.0), [3.0, 5.0])
    assert np.array_equal(table.numbers("c", 1.0), [1.0, 1.0])
    table.check()


PREFILL = "device,dtype,kv_dtype,batch,q_len,kv_len,n_heads,n_kv_heads,head_dim,causal,kernel,time_us,source"
MOE = "device,dtype,num_tokens,hidden,inter,topk,n_experts,moe_tp,moe_ep,distribution,kernel,time_us,source"
COLLECTIVE = "device,topology,op,n_ranks,bytes,time_us,source"
IMPOSSIBLE: list[tuple[str, str, str, str]] = [
    ("a-product-that-overflows", HEAD, "H100,bf16,1e200,1e200,3,4,a,b", "m: '1e200' must lie between"),
    ("a-size-of-nothing", HEAD, "H100,bf16,1e-300,2,3,4,a,b", "m: '1e-300' must lie between"),
    ("a-time-of-nothing", HEAD, "H100,bf16,1,2,3,1e-320,a,b", "time_us: '1e-320' must lie between"),
    ("a-layer-of-all-experts", MOE, "H100,bf16,1,64,64,8,1e12,1,1,power_law_1.2,k,4,b", "n_experts: '1e12' must lie"),
    ("more-choices-than-experts", MOE, "H100,bf16,1,64,64,9,8,1,1,balanced,k,4,b", "topk: '9' must not be more"),
    ("queries-beyond-keys", PREFILL, "H100,bf16,bf16,1,9,8,8,8,128,1,fa,4,b", "q_len: '9' must not be more"),
    ("more-kv-heads-than-heads", PREFILL, "H100,bf16,bf16,1,8,8,8,9,128,1,fa,4,b", "n_kv_heads: '9' must not"),
    ("domains-of-no-device", COLLECTIVE, "H100,dpn0,all_reduce,8,1024,4,b", "topology: 'dpn0' has domains without"),
]


@pytest.mark.parametrize(("head", "row", "said"), [c[1:] for c in IMPOSSIBLE], ids=[c[0] for c in IMPOSSIBLE])
def test_numbers_that_no_machine_has_are_refused_by_their_line(head: str, row: str, said: str) -> None:
    with pytest.raises(InputError, match=f"measured.csv:2: {said}"):
        evaluate(tables.parse(f"{head}\n{row}\n".encode(), "measured.csv"))


@pytest.mark.parametrize("exponent", ["nan", "inf", "1e308", "-5", "much"])
def test_a_routing_that_is_no_power_law_is_not_expressible(exponent: str) -> None:
    row = f"H100,bf16,64,64,64,8,256,1,1,power_law_{exponent},k,4,b"
    rows = evaluate(tables.parse(f"{MOE}\n{row}\n".encode(), "measured.csv"))
    assert not len(rows)
    assert rows.omitted == [("moe:2", f"routing power_law_{exponent} is not known")]


def test_a_collective_of_chips_that_have_but_a_network_crosses_it() -> None:
    text = f"{COLLECTIVE}\nraspberry-pi-5,4x2,all_reduce,8,125000000,4,b\nraspberry-pi-5,1node,all_reduce,2,8,4,b\n"
    rows = evaluate(tables.parse(text.encode(), "measured.csv"))
    rate = component("hardware", "raspberry-pi-5").link("scale_out").bandwidth
    assert rows.bound == pytest.approx([2 * 125e6 * 3 / 8 / rate])
    assert [why for _, why in rows.omitted] == ["raspberry-pi-5 has no link for 1 domains"]


def test_a_device_of_the_data_opens_no_file_and_is_told_the_nearest_name(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    text = f"{HEAD}\n{secret},bf16,1,2,3,4,a,b\nH1000-sxm,bf16,1,2,3,4,a,b\n"
    (_, first), (_, second) = evaluate(tables.parse(text.encode(), "measured.csv")).omitted
    assert "unknown hardware" in first
    assert "mapping" not in first
    assert "password" not in first
    assert second.endswith("(nearest: h100-sxm)")
