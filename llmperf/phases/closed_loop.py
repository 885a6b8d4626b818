"""Continuous batching at a fixed concurrency: the time of a token when every finished sequence makes room for a new."""

from __future__ import annotations

from llmperf.numeric import Real, most


def closed_loop(concurrency: Real, step_s: Real, prompt_s: Real, output: Real) -> Real:
    """Mean time between tokens of a sequence, the prompts of its neighbours included.

    Parameters
    ----------
    concurrency : number or array
        Sequences that run at once; each that ends is followed by a new one. [1]
    step_s : number or array
        Time of a decode step of all of them. [s]
    prompt_s : number or array
        Time that one prompt adds, alone or in a mixed step. [s]
    output : number or array
        Tokens that a sequence generates. [1]

    Returns
    -------
    number or array
        ``step_s + concurrency prompt_s / output``: while a sequence generates its tokens, every other place in the
        batch is filled anew once. [s]

    References
    ----------
    .. [1] Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", arXiv:2403.02310,
       sec. 3: decodes wait for the prompts of others, as one step or as chunks of it.
    """
    return step_s + concurrency * prompt_s / most(output, 1.0)
