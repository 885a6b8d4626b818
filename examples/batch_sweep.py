"""Which batch serves most tokens a second while a token still takes less than 20 ms? Arrays in, arrays out."""

from __future__ import annotations

import numpy as np

import llmperf

batch = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])[:, None]
tp = np.array([2, 4, 8])[None, :]
grid = llmperf.estimate(
    model="llama-3.1-70b", hardware="h100-sxm", weights="fp8", batch=batch, tp=tp, input=1024, output=256
)
allowed = grid.memory.fits & (grid.tpot_s < 0.020)
per_device = np.where(allowed, grid.output_tokens_per_s / tp, 0.0)
best = np.unravel_index(per_device.argmax(), per_device.shape)

print(f"{'batch':>6} " + " ".join(f"{f'tp {n}':>18}" for n in tp[0]))
for row, size in enumerate(batch[:, 0]):
    cells = [
        f"{1e3 * grid.tpot_s[row, column]:6.1f} ms {grid.output_tokens_per_s[row, column]:6.0f}/s"
        for column in range(tp.size)
    ]
    print(f"{size:6d} " + " ".join(f"{cell:>18}" for cell in cells))
print(
    f"best per device under 20 ms: batch {batch[best[0], 0]} on tp {tp[0, best[1]]}, "
    f"limited by {grid.bottleneck['decode'][best]}"
)
