"""A model and a chip of one's own: files in a directory, or values on top of what the catalog has."""

from __future__ import annotations

import tempfile
from pathlib import Path

import llmperf

CHIP = """\
extends: h100-sxm
vendor: ours
tiers:
  hbm: {capacity: 192 GiB, bandwidth: 6 TB/s}
sources:
  tiers.hbm: planning figure of the next generation, not a product
"""

with tempfile.TemporaryDirectory() as folder:
    chips = Path(folder) / "chips"
    chips.mkdir()
    (chips / "next-gen.yaml").write_text(CHIP)
    ours = llmperf.estimate(model="llama-3.1-70b", hardware="next-gen", weights="fp8", batch=16, catalog=(folder,))
theirs = llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm", weights="fp8", tp=2, batch=16)
deeper = llmperf.estimate({"model": {"extends": "llama-3.1-8b", "layers": 48, "official": None}}, hardware="h100-sxm")

for name, result in (("one next-gen", ours), ("two h100-sxm", theirs), ("a deeper 8B on one h100-sxm", deeper)):
    print(
        f"{name:28s} fits: {result.fits!s:5s} TPOT {1e3 * result.bound.tpot_s:5.1f} ms bound, "
        f"{1e3 * result.tpot_s:5.1f} ms projected, limited by {result.bottleneck['decode']}"
    )
