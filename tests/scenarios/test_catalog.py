"""The catalog: every entry is valid, sourced and findable; users' files go first; the cache never lies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import llmperf
from llmperf.descriptors.parameters import parameters
from llmperf.files import documents, store
from llmperf.files.yaml import parse_yaml
from llmperf.scenarios import catalog, components
from llmperf.scenarios.components import component

BUILT = ["model", "hardware", "weights", "kv_cache", "engine", "attention", "achieved", "link", "tier"]


def incomplete(name: str) -> bool:
    """Whether a chip lacks what every estimate needs; it stays in the catalog, and is refused."""
    try:
        component("hardware", name)
    except llmperf.InputError as error:
        assert all(problem.message.startswith("needs") for problem in error.problems), error
        return True
    return False


COMPLETE = [name for name in sorted(catalog.files("hardware")) if not incomplete(name)]
EVERY = [(kind, name) for kind in BUILT for name in sorted(catalog.files(kind))]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_entry_is_valid_and_says_where_its_numbers_are_from(kind: str, name: str) -> None:
    if kind == "hardware" and incomplete(name):
        assert catalog.load(kind, name).data["sources"]
        return
    built = component(kind, name)
    assert built.name == name
    assert built.sources
    assert all(len(source) > 10 for source in built.sources.values())


@pytest.mark.parametrize("kind", BUILT)
def test_aliases_find_their_entry_in_any_case(kind: str) -> None:
    for alias, name in catalog.aliases(kind).items():
        assert catalog.find(kind, alias.upper()) == catalog.files(kind)[name]


def sourced(path: str, sources: dict[str, str]) -> bool:
    while path:
        if path in sources:
            return True
        path = path.rpartition(".")[0]
    return "all" in sources


def numbers(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in numbers(item, f"{path}.{key}" if path else key)]
    return [path] if any(c.isdigit() for c in str(value)) and not isinstance(value, list) else []


@pytest.mark.parametrize("name", sorted(catalog.files("hardware")))
def test_every_number_of_a_chip_has_a_source(name: str) -> None:
    data = catalog.load("hardware", name).data
    named = (
        "name",
        "notes",
        "achieved",
        "price_date",
        "rent_kind",
        "rent_date",
        "kind",
        "vendor",
        "generation",
        "aliases",
        "sources",
    )
    paths = numbers({key: value for key, value in data.items() if key not in named})
    assert paths
    assert [path for path in paths if not sourced(path, data["sources"])] == []


@pytest.mark.parametrize("name", COMPLETE)
def test_peaks_of_a_chip_stand_in_plausible_ratios(name: str) -> None:
    hardware = component("hardware", name)
    for engine in hardware.engines.values():
        peaks = engine.peaks
        assert all(1e9 < peak < 1e17 for peak in peaks.values())
        for narrow, wide in (("fp8", "bf16"), ("int8", "bf16"), ("fp4", "fp8"), ("fp8", "fp16"), ("int8", "fp16")):
            if narrow in peaks and wide in peaks:
                ratio = peaks[narrow] / peaks[wide]
                if narrow == "int8" and ratio < 0.9:
                    continue  # Blackwell Ultra gave most of its int8 units up
                # once, twice, three (Blackwell Ultra's fp4) or four times the rate; anything between mixes dense and
                # sparse numbers, or two data sheets
                assert any(abs(ratio / factor - 1) < 0.1 for factor in (1, 2, 3, 4)), (narrow, wide, ratio)
    main = hardware.main
    # memory on the chip is read in microseconds, a processor's DRAM in seconds
    assert 1e-6 < main.capacity / main.bandwidth < 20, "time to read the whole memory"


def test_capacities_are_those_of_the_data_sheets() -> None:
    for name, gib in (("a100-sxm-80gb", 80), ("h100-sxm", 80), ("rtx-4090", 24), ("m2-ultra", 192), ("mi300x", 192)):
        assert component("hardware", name).main.capacity == gib * 2**30


def test_the_users_directory_goes_before_the_packaged_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine" / "chips"
    mine.mkdir(parents=True)
    (mine / "h100-sxm.yaml").write_text("extends: a100-sxm-80gb\nnotes: mine\n")
    path = component("hardware", "h100-sxm", (str(tmp_path / "mine"),))
    assert path.notes == "mine"
    assert component("hardware", "h100-sxm").notes != "mine"
    monkeypatch.setenv("LLMPERF_CATALOG", str(tmp_path / "mine"))
    assert catalog.find("hardware", "h100-sxm").parent == mine


def test_a_local_directory_is_found_without_being_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "llmperf.d" / "models"
    folder.mkdir(parents=True)
    (folder / "tiny.yaml").write_text("extends: llama-2-7b\nlayers: 2\nofficial: null\n")
    monkeypatch.chdir(tmp_path)
    result = llmperf.estimate(model="tiny", hardware="h100-sxm")
    assert parameters(result.scenario.model) == 6_738_415_616 - 30 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096)


def test_overrides_change_one_value_and_keep_the_rest() -> None:
    changed = llmperf.load(None, {"model": "llama-3.1-8b", "hardware": "h100-sxm", "hardware.tdp": "350 W"}).scenario
    assert changed.hardware.tdp == 350
    assert changed.hardware.main == component("hardware", "h100-sxm").main
    inline = llmperf.load({"model": {"extends": "llama-3.1-8b", "layers": 4}, "hardware": "h100-sxm"}).scenario
    assert inline.model.layers == 4
    assert inline.model.hidden == 4096


def test_a_scenario_file_is_read_extended_and_overridden(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("model: llama-3.1-8b\nhardware: h100-sxm\nworkload: {batch: 4, input: 64}\n")
    top = tmp_path / "top.yaml"
    top.write_text(f"extends: {tmp_path / 'base.yaml'}\nworkload: {{batch: 8}}\n")
    scenario = llmperf.load(str(top), {"tp": 2}).scenario
    assert (scenario.workload.batch, scenario.workload.input, scenario.parallelism.tp) == (8, 64, 2)


def test_a_changed_file_is_never_answered_from_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")
    store._load_file.cache_clear()
    assert store.load_file(str(path)).data == {"a": 1}
    store._load_file.cache_clear()
    assert store.load_file(str(path)).data == {"a": 1}
    path.write_text("a: 2\n")
    store._load_file.cache_clear()
    assert store.load_file(str(path)).data == {"a": 2}


def test_one_scenario_reads_only_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(store, "read_bytes", lambda path: (read.append(path.stem), real(path))[1])
    real = documents.read_bytes
    store._load_file.cache_clear()
    components._built.known.clear()
    llmperf.estimate(model="llama-3.1-8b", hardware="dgx-h100", weights="fp8", kv_cache="fp8")
    constants = ["gpu", "gpu-datacenter", "gpu-hopper-published", "gpu-hopper", "h100-sxm"]
    assert sorted(read) == sorted(
        ["dgx-h100", "fp8", "fp8", "fused", "generic", "h100-sxm", "llama-3.1-8b", *constants]
    )


def test_an_alias_is_found_in_an_index_without_reading_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog._aliases.cache_clear()
    catalog.aliases("hardware")  # the index is in the cache now
    catalog._aliases.cache_clear()
    store._load_file.cache_clear()
    read: list[str] = []
    monkeypatch.setattr(store, "read_bytes", lambda path: (read.append(path.stem), documents.read_bytes(path))[1])
    catalog.load("hardware", "H100")
    assert read == ["h100-sxm"]


def test_a_damaged_cache_is_parsed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "x.yaml"
    path.write_text("a: [1, 2]\n")
    for damage in (b"", b"{", b"[]", b'{"data": 1}', b"\x00\xff", b"3\n4\n5", b"3\n{}\n{}\ne", b"{\n{}\n{}\nend"):
        store._load_file.cache_clear()
        assert store.load_file(str(path)).data == {"a": [1, 2]}
        (stored,) = (tmp_path / "llmperf").glob("*.parsed")
        stored.write_bytes(damage)
    store._load_file.cache_clear()
    assert store.load_file(str(path)).data == {"a": [1, 2]}


def test_a_read_only_cache_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llmperf").write_text("a file where the directory should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store._load_file.cache_clear()
    assert llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm").fits


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(TypeError):
        store.write_atomically(path, 3)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_every_key_has_its_line() -> None:
    document = parse_yaml(b"a: 1\nb:\n  c: [1,\n      2]\n  d: {e: 3}\n", "f.yaml")
    assert document.data == {"a": 1, "b": {"c": [1, 2], "d": {"e": 3}}}
    assert [document.line(path) for path in ("a", "b", "b.c", "b.c.1", "b.d.e", "b.d.x")] == [1, 2, 3, 4, 5, 5]


def test_aliases_of_yaml_expand_to_what_they_name() -> None:
    assert parse_yaml(b"a: &x {b: 1}\nc: *x\n", "f.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_geforce_cards_since_turing_exchange_through_the_host() -> None:
    """Their drivers open no peer-to-peer over PCIe (NVIDIA/nccl issue 1127)."""
    cards = [name for name in catalog.files("hardware") if re.match(r"rtx-(20[678]0|30[5-9]0|40[6-9]0|50[6-9]0)", name)]
    assert len(cards) > 30
    for name in cards:
        links = catalog.load("hardware", name).data["links"]
        assert links["pcie"].get("peer_to_peer") is False, name


def test_cards_of_one_box_that_leave_their_bridge_stay_in_the_box() -> None:
    for name in ("h100-pcie", "h100-nvl", "a100-pcie-80gb"):
        alone, four = (
            llmperf.estimate(model="llama-3.1-70b", weights="fp8", hardware=name, tp=tp, batch=1).projection.tpot_s
            for tp in (2, 4)
        )
        assert four < alone, name
