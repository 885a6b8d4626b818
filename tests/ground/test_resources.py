"""What a step can wait for: rows say all there is to say of a resource, and other code may add some."""

from __future__ import annotations

import pytest

from llmperf.checks import schema
from llmperf.contract.outputs import outputs
from llmperf.interfaces.figures import theme
from llmperf.resources import (
    HOST_LINK,
    LINK,
    MAIN,
    MATRIX,
    MEMORY,
    RESOURCES,
    Resource,
    is_link,
    kind_of,
    matrix,
    outwards,
    resource_of,
)


def test_demands_lead_back_to_their_resource() -> None:
    assert resource_of(matrix("tensor")) == MATRIX != matrix("tensor")
    assert matrix("a") != matrix("b")
    assert resource_of(outwards(HOST_LINK)) == HOST_LINK != outwards(HOST_LINK)
    assert outwards(MAIN) == MAIN  # a memory's two directions share its bandwidth
    assert is_link(outwards(HOST_LINK))
    assert not is_link(matrix("uplink"))


def test_every_tier_and_link_has_a_row() -> None:
    assert {*MEMORY.values(), *LINK.values()} <= set(RESOURCES)


def test_every_kind_has_a_colour_of_its_own() -> None:
    colors = {kind_of(name): theme.limited(name)["color"] for name in RESOURCES}
    assert len(set(colors.values())) == len(colors)


def test_a_row_from_elsewhere_is_known_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Resource("link.optical", "optical mesh: wavelengths", said="the mesh")
    monkeypatch.setitem(RESOURCES, one.name, one)
    assert (one.short, one.said, one.color) == ("optical mesh", "the mesh", "link")
    assert outputs()["bottleneck"][one.name] == one.label
    assert one.name in str(schema.lock_file())
    assert theme.limited(one.name) == theme.limited(HOST_LINK)
