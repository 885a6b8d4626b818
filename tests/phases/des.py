"""An exact reference for steady states: one engine, event by event, from the times of its steps.

Nothing here is fast or general: closed forms of serving are compared with it, and it shares no code with them.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

StepTime = Callable[[int, float, int], float]
"""(sequences that decode, tokens that each attends to on average, prompt tokens) -> seconds of one step."""


@dataclass(frozen=True)
class Server:
    """What the engine does between steps; its KV pool is in blocks of `block` tokens."""

    step: StepTime
    token_budget: int = 8192
    max_sequences: int = 256
    schedule: str = "mixed"
    """`mixed`: prompts join decode steps; `prefill_first`: they run alone; `static`: so, and batches end together."""
    admission: str = "grow"
    """`grow`: a request needs blocks for its prompt; `reserve_full`: for all of its tokens."""
    prefill_interval: int = 1
    """Prompts run in every so many steps only, unless nothing decodes."""
    blocks: int = 2**60
    block: int = 16


@dataclass(eq=False)
class Job:
    """A request on its way; of its tokens, `left` are computed before the next one comes out."""

    arrival: float
    prompt: int
    output: int
    left: int = 0
    emitted: list[float] = field(default_factory=list)
    done: float = np.inf
    evictions: int = 0

    @property
    def context(self) -> int:
        return self.prompt + len(self.emitted)

    @property
    def ttft(self) -> float:
        return self.emitted[0] - self.arrival

    @property
    def e2e(self) -> float:
        return self.done - self.arrival

    @property
    def tpot(self) -> float:
        return (self.done - self.emitted[0]) / (self.output - 1)

    @property
    def itl(self) -> list[float]:
        return list(np.diff(self.emitted))


def arrivals(rate: float, count: int, rng: np.random.Generator, burstiness: float = 1.0) -> list[float]:
    """When requests come; times between them are gamma distributed, exponentially at a burstiness of 1."""
    return list(np.cumsum(rng.gamma(burstiness, 1.0 / (rate * burstiness), count)))


def in_flight(jobs: Sequence[Job], start: float, end: float) -> float:
    """Requests between arrival and last token, on average over a stretch of time."""
    return sum(max(min(job.done, end) - max(job.arrival, start), 0.0) for job in jobs) / (end - start)


def simulate(
    server: Server,
    lengths: Sequence[tuple[int, int]],
    times: Sequence[float] = (),
    concurrency: int = 1,
    think: Callable[[], float] = lambda: 0.0,
) -> list[Job]:
    """Requests of (prompt, output) tokens, complete, as they came; without times, by so many users that think."""
    first = times or [0.0] * concurrency
    jobs = [Job(time, *size) for time, size in zip(first, lengths, strict=False)]
    coming, unsent = list(jobs), deque(lengths[len(jobs) :])
    waiting: deque[Job] = deque()
    running: list[Job] = []
    now, steps = 0.0, 0
    while coming or running or waiting:
        if not running and not waiting:
            now = max(now, coming[0].arrival)
        while coming and coming[0].arrival <= now:
            waiting.append(coming.pop(0))
        steps += 1
        chunks, decoding = _planned(server, waiting, running, steps)
        context = sum(job.context for job in decoding) / max(len(decoding), 1)
        now += server.step(len(decoding), context, sum(chunks.values()))
        for job, chunk in chunks.items():
            job.left -= chunk
        for job in [*decoding, *(job for job in chunks if not job.left)]:
            job.emitted += [now] if len(job.emitted) < job.output else []
        complete = [job for job in running if len(job.emitted) == job.output]
        if server.schedule == "static" and len(complete) < len(running):
            continue  # a batch is answered as a whole, and those that have ended are computed with it
        for job in complete:
            job.done = now
            running.remove(job)
            if unsent:
                jobs.append(Job(now + think(), *unsent.popleft()))
                insort(coming, jobs[-1], key=lambda other: other.arrival)
    return jobs


def _planned(server: Server, waiting: deque[Job], running: list[Job], steps: int) -> tuple[dict[Job, int], list[Job]]:
    """Of the next step, prompt tokens by request, and the requests that decode."""
    while len(running) > 1 and _held(server, running) > server.blocks:  # the youngest is computed again
        waiting.appendleft(running.pop())
        waiting[0].evictions += 1
    decoding, static = [job for job in running if not job.left], server.schedule == "static"
    budget = server.token_budget - (len(decoding) if server.schedule == "mixed" else 0)
    chunks: dict[Job, int] = {}
    if decoding and steps % server.prefill_interval and not static:
        return chunks, decoding
    for job in [job for job in running if job.left]:
        chunks[job] = max(min(job.left, budget), 0)
        budget -= chunks[job]
    closed = static and bool(running)
    while waiting and (budget > 0 or static) and len(running) < server.max_sequences and not closed:
        job = waiting[0]
        whole = not chunks or server.schedule != "prefill_first" or job.context <= budget
        if not whole or _held(server, [*running, job]) > server.blocks:
            break
        running.append(waiting.popleft())
        job.left = job.context
        chunks[job] = min(job.left, budget)
        budget -= chunks[job]
    chunks = {job: chunk for job, chunk in chunks.items() if chunk}
    if not chunks and not decoding:
        raise ValueError("not even one request fits")
    return chunks, decoding if server.schedule == "mixed" or not chunks else []


def _held(server: Server, jobs: Sequence[Job]) -> int:
    """Blocks that requests hold: of all of their tokens where these are reserved, else with the next one."""
    full = server.admission == "reserve_full"
    return sum(-(-(job.prompt + job.output if full else job.context + 1) // server.block) for job in jobs)
