"""What a load on a scenario should measure: a static batch, or a service under its traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import WAYS, Traffic
from llmperf.evidence.runs.metrics import NO_ROOM, Prediction, Predictions, between, number, rate_between
from llmperf.evidence.runs.run import OfferedLoad
from llmperf.evidence.runs.steady import arriving, at_once, closed
from llmperf.phases.serving.span import span
from llmperf.phases.serving.waves import waves

UNSTEADY = "arrivals that follow a trace or a ramp have no steady state"


def predictions(load: OfferedLoad, scenario: Scenario, measured: Mapping[str, float]) -> Predictions:
    """Everything that can be said of a load.

    Parameters
    ----------
    load : OfferedLoad
    scenario : Scenario
        Scalars only; `workload.batch` is the batch, or the requests in flight. Where its traffic says how requests
        come, that goes before the load.
    measured : dict of str to float
        By metric, SI units: latency and throughput tell how many requests were in flight and how many decoded.
    """
    scenario = under(load, scenario)
    traffic = scenario.traffic
    if load.kind == "static":
        return _static(scenario)
    if traffic is None:
        return Predictions(dict.fromkeys(measured, UNSTEADY), float(scenario.workload.batch))
    if traffic.request_rate is not None:
        return arriving(load, scenario, traffic, measured)
    if traffic.concurrency is None and traffic.users is None:
        return at_once(scenario, traffic, measured)
    return closed(scenario, traffic, measured)


def under(load: OfferedLoad, scenario: Scenario, fixed: bool = False) -> Scenario:
    """A scenario under the traffic of a load.

    Parameters
    ----------
    load : OfferedLoad
    scenario : Scenario
    fixed : bool
        Whether as many requests are in flight as `workload.batch` says, whatever load and scenario say.
    """
    if load.kind in ("static", "unsteady"):
        return replace(scenario, traffic=None)
    traffic = scenario.traffic or Traffic()
    if not fixed and any(getattr(traffic, way) is not None for way in WAYS):
        return scenario
    come: dict[str, Any] = coming(load, scenario.workload.batch if fixed or load.kind == "closed" else None)
    return replace(scenario, traffic=replace(traffic, **{**dict.fromkeys(WAYS), "burstiness": 1.0, **come}))


def coming(load: OfferedLoad, flying: float | None) -> dict[str, float]:
    """How the requests of a load come, as keys of traffic; so many in flight, where that is known, go before it."""
    found: dict[str, float] = {} if load.requests is None else {"requests": max(round(load.requests), 1)}
    if flying is not None:
        return {"concurrency": max(round(flying), 1), **found}
    if load.rate is not None:
        return {"request_rate": load.rate, "burstiness": load.burstiness, **found}
    return found


def _static(scenario: Scenario) -> Predictions:
    work, run = scenario.workload, waves(scenario)
    prompts, step = span(run.part, "prefill"), span(run.part, "decode")
    notes: tuple[str, ...] = ()
    whole = prompts + step * (work.output - 1.0)
    if not np.isfinite(number(run.parts)):
        notes = (NO_ROOM,)
    elif number(run.parts) > 1.0:
        fastest = span(run.whole, "prefill") + span(run.whole, "decode") * (work.output - 1.0)
        whole = whole.lasting(run.e2e).bounded(fastest)
        notes = (f"by this model the batch does not fit the memory: it runs in {number(run.parts):.0f} parts",)
    found: dict[str, Prediction | str] = {
        "e2e_s": between(whole),
        "prompt_tokens_per_s": rate_between(prompts, run.sequences * run.part.setup.new_tokens),
        "decode_tokens_per_s": rate_between(step, run.sequences),
    }
    return Predictions(found, work.batch, notes)
