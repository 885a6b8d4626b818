"""What a step can wait for: one row a resource, with its names and its words.

A resource's name is its kind, and after a dot which one of that kind. Demands are counted more finely than waits: of
each matrix engine, and of each direction of a link (`matrix`, `outwards`); `resource_of` leads back to the row.
"""

from __future__ import annotations

from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """What can limit a phase.

    Attributes
    ----------
    name : str
        In results, checks and lock files.
    label : str
        In a table; what follows a colon explains.
    short : str
        Where there is little room, as in a legend; else the label up to its colon.
    said : str
        In a sentence; else the label.
    color : str
        Which colour it has in figures: of those of a kind; else its own kind's.
    """

    name: str
    label: str
    short: str = ""
    said: str = ""
    color: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "short", self.short or self.label.partition(":")[0])
        object.__setattr__(self, "said", self.said or self.label)
        object.__setattr__(self, "color", self.color or kind_of(self.name))


MATRIX, VECTOR = "compute.matrix", "compute.vector"
MAIN, CACHE = "memory.main", "memory.cache"
SCALE_UP, SCALE_OUT, HOST_LINK = "link.scale_up", "link.scale_out", "link.host"
HOST, LATENCY, CAPACITY = "host", "latency", "capacity"

COMPUTE, MEMORIES, LINKS = "compute", "memory", "link"
"""Kinds of which there are several resources."""
OVERLAP = "overlap"
"""What engines and pipeline stages do at the same time: it brings the sum of all parts to the time of a phase."""
FLOPS = "flops."
"""Of quantities of work, products by their dtype begin so: ``flops.bf16``."""

MEMORY = {
    "main": MAIN,
    "internal": "memory.internal",
    "host": "memory.host",
    "expansion": "memory.expansion",
    "storage": "memory.storage",
}
"""Resource name of a memory tier's kind."""

LINK = {"scale_up": SCALE_UP, "scale_out": SCALE_OUT, "host": HOST_LINK}
"""Resource name of a link's kind."""


def kind_of(key: str) -> str:
    """The kind of a resource or a demand: ``compute``, ``memory``, ``link``, ``host``, ``latency`` or ``capacity``."""
    return key.partition(".")[0]


def resource_of(key: str) -> str:
    """The resource that a demand is counted for, in the finer names that `matrix` and `outwards` give."""
    return key.partition(":")[0]


def matrix(engine: str) -> str:
    """The demand on one matrix engine of the hardware: several may compute at once."""
    return f"{MATRIX}:{engine}"


def outwards(resource: str) -> str:
    """The demand on what carries bytes away from the device; a link carries both directions at once, a memory not."""
    return f"{resource}:out" if is_link(resource) else resource


def is_link(key: str) -> bool:
    """Whether a resource or a demand is one of links."""
    return kind_of(key) == LINKS


RESOURCES: dict[str, Resource] = {
    one.name: one
    for one in (
        Resource(MATRIX, "matrix engines"),
        Resource(VECTOR, "vector engine"),
        Resource(MAIN, "device memory"),
        Resource(CACHE, "last-level cache"),
        Resource(MEMORY["internal"], "memory inside the PIM banks"),
        Resource(MEMORY["host"], "host memory"),
        Resource(MEMORY["expansion"], "expansion (CXL) memory"),
        Resource(MEMORY["storage"], "storage"),
        Resource(SCALE_UP, "link between devices of a domain", "links between devices", "links within the domain"),
        Resource(SCALE_OUT, "network between domains", "network", "the network"),
        Resource(HOST_LINK, "link to the host", said="the link to the host"),
        Resource(HOST, "host time: launches, scheduling", said="the host"),
        Resource(
            LATENCY,
            "fixed time of operators and collectives",
            "fixed times",
            "fixed times of kernels and collectives",
        ),
        Resource(CAPACITY, "memory capacity: the workload does not fit"),
    )
}
"""What can limit a phase, by name. A row put here by other code is named in results, schemas, checks and figures."""


def labels() -> dict[str, str]:
    """What can limit a phase, by name, in the words of a table."""
    return {name: one.label for name, one in RESOURCES.items()}
