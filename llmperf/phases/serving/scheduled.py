"""One request among others that a server works on, as its engine schedules them: what all loops are made of."""

from __future__ import annotations

from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose, everywhere, least, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.mixed import mixed
from llmperf.phases.serving.batches import batched
from llmperf.phases.serving.lengths import Mix, mix
from llmperf.phases.serving.pools import handed_over
from llmperf.phases.serving.request import Request, at, interrupted, ranks

RUNNING = 0.5
"""Steps that a request waits for the one that runs when it comes: half of one on average. [1]"""


def alone(scenario: Scenario) -> Evaluated:
    """A request by itself, with what it finds in the prefix cache."""
    found = mix(scenario)
    return at(scenario, 1.0, **({"shared_prefix": found.cached} if found.hits else {}))


def request(scenario: Scenario, in_flight: Real, first: Evaluated) -> Request:
    """A request that shares the server with others, each of which is replaced when it is complete.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    in_flight : number or array
        Requests in flight, this one included; at least one. [1]
    first : Evaluated
        The batch of one (`alone`).

    Notes
    -----
    With ``n`` requests a rank, of ``c`` chunks of a prompt and ``o`` tokens, a request waits for half of the step that
    runs, joins ``c`` steps with its prompt, and ``o - 1`` more:

        ``k = 1/2 + c + o - 1``, ``token = s + (n - 1) p / k``,
        ``ttft = q + (1/2 + c) token + p``, ``e2e = ttft + (o - 1) token = q + k s + n p``.

    Where more tokens of prompts come than the token budget has room for, every step is full, and ``k`` are as many as
    the prompts of all need: the rest of them is waiting for the first token. An engine that schedules ahead adds as
    many steps to the half; the steps that an arrival meets are longer than the mean one (`gated`). ``s`` is the decode
    step of those that have their first token, ``n (o - 1) / k`` of them; ``p`` is what a prompt adds to a step that
    reads the weights anyway (`added`), ``q`` the engine's host time of a request. Alone, a request joins nothing: its
    prompt is a prefill of its own. Between one and two requests a rank the two are mixed. Lengths that scatter count as
    `llmperf.phases.serving.lengths.mix` says.

    References
    ----------
    .. [1] Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve",
       arXiv:2403.02310, sec. 4.2: prompts join decode steps.
    .. [2] Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961: how many decode.
    """
    if scenario.engine.schedule == "static":
        return batched(scenario, in_flight)
    if scenario.prefill_pool is not None:
        return handed_over(scenario, in_flight)
    engine, lengths = scenario.engine, mix(scenario)
    output = lengths.output
    several = output > 1.0
    each = in_flight / ranks(scenario)
    others = most(each - 1.0, 0.0)
    joins = least(others, 1.0)
    apart = engine.schedule == "prefill_first"
    new = first.setup.new_tokens
    misses = RUNNING + engine.ahead + (engine.prefill_interval - 1.0) / 2.0
    chunks, steps = _stay(scenario, each, new, joins, misses, apart)
    before = steps - output + 1.0
    decoding = choose(several, most(in_flight * (output - 1.0) / most(steps, 1.0), 1.0), most(in_flight, 1.0))
    crowd = at(scenario, decoding, **lengths.decoding)
    prompts = at(scenario, decoding, **lengths.prompts) if lengths.prompts else crowd
    step = choose(several, crowd.phases["decode"].projection, 0.0)
    arriving = engine.prefill_interval * each / most(steps, 1.0)
    prompt, own = added(prompts, most(arriving, 1.0), apart, lengths)
    if not everywhere(several):  # nobody decodes: prompts read the weights for themselves
        whole = prompts.phases["prefill"].projection - engine.request_time
        prompt, own = (choose(several, one, whole / most(each, 1.0)) for one in (prompt, own))
    own = joins * own + (1.0 - joins) * (first.phases["prefill"].projection - engine.request_time)
    token = interrupted(step, prompt, others, steps)
    busy = 1.0 - step / most(token, 1e-300)
    longer = choose(several, gated(token, prompt, busy, others) - token, 0.0)
    ttft = engine.request_time + engine.front_time + before * token + joins * (RUNNING + busy) * longer + own
    e2e = ttft + (output - 1.0) * token
    return Request(in_flight, step, prompt, own, token, ttft, e2e, steps, chunks, 0.0, crowd)


def _stay(scenario: Scenario, each: Real, new: Real, joins: Real, misses: Real, apart: bool) -> tuple[Any, Any]:
    """Steps that a prompt joins, and steps that its request stays for.

    A step has room for the tokens of the budget, those that decode included: more than these take as many more steps.
    """
    budget, output = scenario.engine.token_budget, mix(scenario).output
    least_steps = 0.0 if apart else joins * each * (new + output - 1.0) / budget
    steps = most(joins * misses + most(output - 1.0, 1.0), least_steps)
    decoding = 0.0 if apart else each * (output - 1.0) / steps
    chunks = new / least(new, most(budget - decoding, 1.0))
    return chunks, most(joins * (misses + (0.0 if apart else chunks)) + output - 1.0, least_steps)


def gated(token: Real, prompt: Real, busy: Real, others: Real) -> Any:
    """Mean length of the steps that arrivals meet: the longer one is, the more arrive in it. [s]

    Parameters
    ----------
    token, prompt : number or array
        The mean step, and what a prompt adds to one. [s]
    busy : number or array
        Share of the time that steps are longer by prompts, ``u``. [1]
    others : number or array
        Requests that may come. [1]

    Notes
    -----
    Those that arrive in a step join the next: its length has the variance ``p u S / (1 - u^2)`` about the mean ``S``,
    so that ``E[S^2] / E[S] = S + p u / (1 - u^2)``; of a closed loop no more come than there are.

    References
    ----------
    .. [1] Takagi, "Queueing Analysis", vol. 1, 1991, ch. 2: gated service.
    """
    return token + least(prompt * busy / most(1.0 - busy**2, 0.05), others * prompt / 2.0)


def added(crowd: Evaluated, joining: Real, apart: bool, lengths: Mix) -> tuple[Any, Any]:
    """Time that a prompt adds to decode steps: for the others in them, and for its own first token.

    Parameters
    ----------
    crowd : Evaluated
        The static batch of the sequences that decode.
    joining : number or array
        Prompts that come in one step of a rank; no more join it than the budget has room for. [1]
    apart : bool
        Whether prompts run in steps of their own; else they join decode steps, in chunks of what these leave of the
        token budget.
    lengths : Mix

    Returns
    -------
    tuple of number or array
        [s]

    Notes
    -----
    In a pipeline, a prompt costs others the time of the busiest stage, for stages work on other micro-batches at the
    same time; its own first token passes through all of them.
    """
    setup, decode = crowd.setup, crowd.phases["decode"]
    left = most(setup.scenario.engine.token_budget - (0.0 if apart else setup.decode_step.sequences), 1.0)
    new = setup.new_tokens
    chunk = least(new, left)
    together = least(joining, most(left // chunk, 1.0))
    step = mixed(setup, crowd.placed, together, not apart)
    share = lengths.prompt_share * (new / chunk) / together
    if apart:
        return share * step.busiest, share * step.projection
    own = most(step.projection - decode.projection / decode.steps, 0.0)
    if setup.stages.number == 1:
        return share * own, share * own
    return share * most(step.busiest - decode.busiest, 0.0), share * own
