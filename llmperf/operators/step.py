"""One step of a serving engine: how many prompt tokens and decoding sequences pass through the model together."""

from __future__ import annotations

from llmperf.numeric import Real, choose, floor_div, least, most
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """What a query sees: its last `size` keys, or those before it in its own chunk of `size`. [1]"""

    size: Real
    chunked: bool = False


def attended(tokens: Real, window: Window | None) -> Real:
    """Query-key pairs of a causal sequence of `tokens` queries, each seeing itself and what its window leaves.

    Notes
    -----
    ``sum_{i=1..n} min(i, w) = n (n + 1) / 2`` up to the window and ``w (w + 1) / 2 + (n - w) w`` beyond; of chunks,
    each full one has ``w (w + 1) / 2`` and the last, of r tokens, ``r (r + 1) / 2``.
    """
    full = 0.5 * tokens * (tokens + 1)
    if window is None:
        return full
    size = window.size
    if window.chunked:
        whole = floor_div(tokens, size)
        rest = tokens - whole * size
        return whole * 0.5 * size * (size + 1) + 0.5 * rest * (rest + 1)
    return choose(tokens > size, 0.5 * size * (size + 1) + (tokens - size) * size, full)


def mean_context(shortest: Real, steps: Real, window: Window | None) -> Real:
    """Mean tokens read by the decode steps whose contexts are ``shortest + 1 .. shortest + steps``."""
    if window is None:
        return shortest + 0.5 * (steps + 1)
    return (attended(shortest + steps, window) - attended(shortest, window)) / steps


@dataclass(frozen=True, slots=True)
class Step:
    """What one replica's dense layers (one data-parallel rank) compute in one step; every field may be an array.

    Attributes
    ----------
    prompts : number or array
        Prompts, or chunks of prompts, prefilled in the step. [1]
    query : number or array
        Tokens of each of them. [1]
    before : number or array
        Tokens of such a prompt at its begin that are cached already (a shared prefix). [1]
    length : number or array
        Length of the prompts after their last chunk, the cached prefix included. [1]
    sequences : number or array
        Sequences that decode one token. [1]
    context, steps : number or array
        The decode steps read contexts ``context + 1 .. context + steps``; the step stands for their mean. [1]
    group : number or array
        Tokens of all data-parallel ranks together, which share the experts: their mean, not rounded up. [1]
    shared : number or array
        Tokens at the begin of every decoding sequence that are the same cached prefix. [1]
    prompt, final : number or array
        Tokens of a decoding sequence's prompt, and of the sequence when it is complete. [1]
    encoded : number or array
        Encoder tokens of each prompt, which every decoder layer attends to. [1]
    causal : bool
        Whether prompts see only what came before.
    diversity : number or array
        How independently tokens choose experts, 0-1. [1]
    """

    prompts: Real = 0.0
    query: Real = 0.0
    before: Real = 0.0
    length: Real = 0.0
    sequences: Real = 0.0
    context: Real = 0.0
    steps: Real = 1.0
    group: Real = 1.0
    shared: Real = 0.0
    diversity: Real = 1.0
    encoded: Real = 0.0
    causal: bool = True
    prompt: Real = 0.0
    final: Real = 0.0

    @property
    def prefills(self) -> bool:
        """Whether the step holds prompt tokens."""
        return not (isinstance(self.prompts, float) and self.prompts == 0.0)

    @property
    def decodes(self) -> bool:
        """Whether the step holds decoding sequences."""
        return not (isinstance(self.sequences, float) and self.sequences == 0.0)

    @property
    def members(self) -> Real:
        """Prompts, or chunks of prompts, and decoding sequences in the step. [1]"""
        return self.prompts + self.sequences

    def pairs(self, window: Window | None) -> Real:
        """Query-key pairs of one prompt in this step, averaged over the chunks of the prompt. [1]"""
        if not self.causal:
            return self.query * self.length
        whole = attended(self.length, window) - attended(self.before, window)
        return whole * self.query / (self.length - self.before)

    def keys(self, window: Window | None) -> Real:
        """Keys that one prompt's queries of this step read, averaged over the chunks of the prompt. [1]"""
        if not self.causal:
            return self.length
        mean = self.before + 0.5 * (self.length - self.before + self.query)
        return mean if window is None else least(mean, window.size + self.query)

    def decode_shared(self, window: Window | None) -> Real:
        """Keys among them that belong to the prefix that all sequences share. [1]"""
        if window is None:
            return self.shared
        private = self.context + 0.5 * (self.steps + 1) - self.shared
        return least(most(window.size - private, 0.0), self.shared)

    def decode_context(self, window: Window | None) -> Real:
        """Keys that a decoding sequence reads in this step, the new one included. [1]"""
        return mean_context(self.context, self.steps, window)
