"""A closed loop: a fixed number of requests in flight, each replaced when it is complete."""

from __future__ import annotations

from llmperf.numeric import Real, most


def closed_loop(concurrency: Real, step_s: Real, prompt_s: Real, output: Real) -> Real:
    """Mean time of each further token when the prefills of other requests interrupt decoding.

    Parameters
    ----------
    concurrency : number or array
        Requests in flight on one data-parallel rank, the one looked at included. [1]
    step_s : number or array
        Time of a decode step of that many sequences. [s]
    prompt_s : number or array
        Time that the prefill of one prompt holds up decoding. [s]
    output : number or array
        Generated tokens of a request, the first of which comes out of its prefill. [1]

    Returns
    -------
    number or array
        Time per output token, of the shape that the inputs broadcast to. [s]

    Notes
    -----
    While a request generates ``output - 1`` tokens, each of the ``concurrency - 1`` others is replaced once, and its
    successor's prompt is prefilled. Device time is conserved: a request takes ``prompt_s + (output - 1) tpot``, which
    equals ``concurrency * prompt_s + (output - 1) step_s``, the work of one round of all requests; alone, a request
    decodes without interruption. Prefill and decode take turns here; an engine that fuses a chunk of a prompt with a
    decode step (Sarathi-Serve, arXiv:2403.02310) saves part of reading the weights. Waiting before a request's own
    prefill is not part of it.
    """
    others = most(concurrency - 1.0, 0.0)
    return step_s + others * prompt_s / most(output - 1.0, 1.0)
