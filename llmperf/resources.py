"""What a step can wait for: one row a resource, with its name and its words."""

from __future__ import annotations

MEMORY = {
    "main": "memory.main",
    "internal": "memory.internal",
    "host": "memory.host",
    "expansion": "memory.expansion",
    "storage": "memory.storage",
}
"""Resource name of a memory tier's kind."""


RESOURCES = {
    "compute.matrix": "matrix engines",
    "compute.vector": "vector engine",
    "memory.main": "device memory",
    "memory.cache": "last-level cache",
    "memory.internal": "memory inside the PIM banks",
    "memory.host": "host memory",
    "memory.expansion": "expansion (CXL) memory",
    "memory.storage": "storage",
    "link.scale_up": "link between devices of a domain",
    "link.scale_out": "network between domains",
    "link.host": "link to the host",
    "host": "host time: launches, scheduling",
    "latency": "fixed time of operators and collectives",
    "capacity": "memory capacity: the workload does not fit",
}
"""What can limit a phase."""
