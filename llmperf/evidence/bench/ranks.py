"""All-reduce over the devices of this machine: one process a device, as serving engines run them."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

PATIENCE = 45.0
"""Time after which a process that does not answer is given up. [s]"""


class Ranks:
    """Processes that reduce together until they are closed.

    Parameters
    ----------
    count : int
        Processes; each uses the device of its number.
    backend : str
        ``nccl`` (also RCCL), or ``gloo`` on processors.

    Raises
    ------
    RuntimeError
        If they do not start or do not find each other.
    """

    def __init__(self, count: int, backend: str) -> None:
        context = importlib.import_module("multiprocessing").get_context("spawn")
        self.count = count
        self.meeting = tempfile.TemporaryDirectory(prefix="llmperf-bench-")
        self.pipes, self.processes = [], []
        for rank in range(count):
            here, there = context.Pipe()
            arguments = (rank, count, backend, str(Path(self.meeting.name) / "meeting"), there)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            there.close()
            self.pipes.append(here)
            self.processes.append(process)
        try:
            self._answers()
        except RuntimeError:
            self.close()
            raise

    def _answers(self) -> list[Any]:
        until = time.monotonic() + PATIENCE
        out = []
        for rank, pipe in enumerate(self.pipes):
            try:
                if not pipe.poll(max(0.0, until - time.monotonic())):
                    raise RuntimeError(f"rank {rank} does not answer within {PATIENCE:g} s")
                answer = pipe.recv()
            except (EOFError, OSError):
                raise RuntimeError(f"rank {rank} has ended") from None
            if isinstance(answer, str):
                raise RuntimeError(f"rank {rank}: {answer}")
            out.append(answer)
        return out

    def all_reduce(self, size: int, count: int) -> float:
        """Time of `count` all-reduces of `size` bytes, that of the slowest rank. [s]"""
        for pipe in self.pipes:
            pipe.send((size, count))
        return max(float(answer) for answer in self._answers())

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            with contextlib.suppress(OSError):
                pipe.send(None)
        for process in self.processes:
            process.join(5.0)
            if process.is_alive():
                process.terminate()
                process.join(5.0)
        for pipe in self.pipes:
            pipe.close()
        self.meeting.cleanup()


def _serve(rank: int, count: int, backend: str, meeting: str, pipe: Any) -> None:
    """What one process does: join the others, then reduce as often as it is told."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    try:
        torch: Any = importlib.import_module("torch")
        dist: Any = importlib.import_module("torch.distributed")
        device = torch.device("cuda", rank) if backend == "nccl" else torch.device("cpu")
        if backend == "nccl":
            torch.cuda.set_device(device)
        dist.init_process_group(
            backend,
            init_method=Path(meeting).as_uri(),
            rank=rank,
            world_size=count,
            timeout=datetime.timedelta(seconds=PATIENCE),
        )
        pipe.send(0.0)
        _reduce(torch, dist, device, pipe)
        dist.destroy_process_group()
    except Exception as error:
        with contextlib.suppress(OSError):
            pipe.send(f"{type(error).__name__}: {error}"[:300])


def _reduce(torch: Any, dist: Any, device: Any, pipe: Any) -> None:
    from llmperf.evidence.bench.timing import Timer

    timer, held = Timer(torch, device), None
    while (asked := pipe.recv()) is not None:
        size, count = asked
        if held is None or held.numel() * 2 != size:
            held = torch.zeros(size // 2, dtype=torch.bfloat16, device=device)
        buffer = held

        def work(buffer: Any = buffer, count: int = count) -> None:
            for _ in range(count):
                dist.all_reduce(buffer)

        dist.barrier()
        pipe.send(timer.elapsed(work))
