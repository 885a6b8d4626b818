"""One attention layer's KV cache of one sequence on one device: what a method stores, reads and fetches of it."""

from __future__ import annotations

from collections.abc import Callable

from llmperf.descriptors.kv_cache import KvCacheFormat, stored_bits
from llmperf.descriptors.model import Model, scoring_layers
from llmperf.numeric import Real, anywhere, choose, least, most
from llmperf.operators.formats import Formats
from llmperf.operators.layout import Shards
from llmperf.operators.lines import TOKENS, AtMost, Line, meetings
from llmperf.records import dataclass

FAR = 1e15
"""Tokens that stand for no limit: more than any sequence has. [1]"""

UNLIMITED = AtMost(FAR)

Mean = Callable[[Real], Real]
"""Tokens of which at most so many count, as a function of that limit."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a decode step reads of a sequence in one layer, the mean over heads and layers.

    Attributes
    ----------
    tokens, compressed : number or array
        Tokens, and those of them that are stored compressed. [1]
    bytes, fetched : number or array
        Their bytes, and the part of these that comes from the tier that the method names. [B]
    """

    tokens: Real
    bytes: Real
    fetched: Real
    compressed: Real


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache of one attention layer that keeps all tokens as far as the model goes.

    Attributes
    ----------
    keys, values : number or array
        Elements of a token's keys and values. [1]
    key_bytes, value_bytes : number or array
        Bytes of an element of them in the method's format. [B]
    heads, kv_heads, head_dim : number or array
        Query heads and KV heads of the device, and the width of a key. [1]
    index : number or array
        Bytes of a token that the model's own indexer keeps. [B]
    """

    method: KvCacheFormat
    keys: Real
    values: Real
    key_bytes: Real
    value_bytes: Real
    heads: Real
    kv_heads: Real
    head_dim: Real
    index: Real

    @property
    def elements(self) -> Real:
        """Elements of a token. [1]"""
        return self.keys + self.values

    @property
    def token(self) -> Real:
        """Bytes of a token of the method's format, its side matrices and scores included. [B]"""
        return self._keys + self.values * self.value_bytes + self._beside

    @property
    def _keys(self) -> Real:
        rank = self.method.low_rank
        if rank is not None and rank.replaces_keys:
            return rank.rank * rank.bits / 8
        return self.keys * self.key_bytes

    @property
    def _beside(self) -> Real:
        """Bytes of a token that stand beside its keys and values: side matrices, accumulated scores. [B]"""
        rank, scores = self.method.low_rank, self.heads * self.method.score_bits / 8
        if rank is None or rank.replaces_keys:
            return scores
        return scores + 2.0 * self.kv_heads * rank.rank * rank.bits / 8

    @property
    def _recent(self) -> Real:
        """Bytes of a token that is not compressed yet. [B]"""
        return self.elements * self.method.recent_bits / 8

    @property
    def _page(self) -> Real:
        """Bytes of the summary of a page. [B]"""
        chosen = self.method.selection
        if chosen is None:
            return 0.0
        return chosen.vectors * self.keys * chosen.bits / 8 + chosen.codes * self.kv_heads / 8

    @property
    def written(self) -> Real:
        """Bytes that a new token writes. [B]"""
        later = self.token if self.method.linear else choose(self.method.recent > 0, self._recent, self.token)
        return later + self.index

    @property
    def outside(self) -> Real:
        """Share of heads or layers that are not windowed. [1]"""
        return 1.0 if self.method.windowed is None else 1.0 - self.method.windowed.share

    @property
    def _window(self) -> AtMost:
        """Most tokens that windowed heads or layers keep of a sequence."""
        part = self.method.windowed
        return UNLIMITED if part is None else AtMost(part.tokens, part.length_share, part.sinks)

    @property
    def _reads(self) -> AtMost:
        """Most tokens that a step reads of a sequence."""
        part = self.method.reads
        return UNLIMITED if part is None else AtMost(part.tokens, part.share)

    @property
    def _budget(self) -> AtMost:
        """Most tokens that the budget holds, of the length that it is a share of."""
        budget = self.method.budget
        return UNLIMITED if budget is None else AtMost(budget.tokens, budget.share)

    def held(self, prompt: Real, final: Real) -> Real:
        """Most tokens that the budget holds of a sequence begun with `prompt`, to grow to `final`. [1]"""
        budget = self.method.budget
        return self._budget.of(prompt if budget is not None and budget.of == "prompt" else final)

    @property
    def _side(self) -> Real:
        """Bytes of side matrices that do not grow with the tokens. [B]"""
        rank = self.method.low_rank
        if rank is None:
            return 0.0
        columns = self.keys if rank.replaces_keys else 2.0 * self.kv_heads * self.head_dim
        return columns * rank.rank * rank.bits / 8

    def _counter(self, mean: Mean, prompt: Real, final: Real) -> Mean:
        """How many tokens are kept, of which at most `limit` count: a function of that limit. [1]

        Of S tokens, ``min(S, L) - d`` are kept: those up to the budget L, or, where generated tokens come on top, all
        but the d that were dropped of the prompt. Of these, at most R are ``min(S, min(L, R + d)) - d``.
        """
        budget = self.method.budget
        if budget is None:
            return mean
        held = self.held(prompt, final)
        if not budget.grows:
            return lambda limit: mean(least(held, limit))
        dropped = prompt - least(prompt, held)
        return lambda limit: mean(limit + dropped) - dropped

    def _kept(self, generated: Real) -> list[Line]:
        """Lines that the number of kept tokens follows, where `generated` tokens come after the prompt: see `_counter`.

        All tokens; those up to the budget, or, where generated tokens come on top, all but the prompt and these.
        """
        budget = self.method.budget
        if budget is None:
            return [TOKENS]
        # at least one token is prompt, which makes a difference to budgets of less
        prompts = [(-generated, 1.0), *([(1.0, 0.0)] if anywhere(budget.tokens < 1) else [])]
        held = [
            (line, prompt)
            for prompt in prompts
            for line in self._budget.lines(prompt if budget.of == "prompt" else TOKENS)
        ]
        if not budget.grows:
            return [TOKENS, *(line for line, _ in held)]
        return [TOKENS, *((line[0] - prompt[0], 1.0 + line[1] - prompt[1]) for line, prompt in held)]

    def _bytes(self, count: Mean, limit: Real) -> Real:
        """Bytes of the kept tokens, at most `limit` of them, the last not compressed yet. [B]"""
        recent = count(least(limit, self.method.recent))
        return self.token * (count(limit) - recent) + self._recent * recent

    def step(self, mean: Mean, prompt: Real, final: Real) -> Read:
        """What a decode step reads of one sequence in one layer.

        Parameters
        ----------
        mean : callable
            Mean of ``min(context, limit)`` over the steps that this one stands for, as a function of the limit. [1]
        prompt, final : number or array
            Tokens of the sequence's prompt, and when it is complete. [1]
        """
        method, tokens = self.method, mean(FAR)
        if method.linear:
            return Read(tokens, self.token * tokens, 0.0, tokens)
        count, limit, part = self._counter(mean, prompt, final), self._reads.of(tokens), method.windowed
        chosen = self.outside * self._bytes(count, limit)
        attended = self.outside * count(limit)
        recent = self.outside * count(least(limit, method.recent))
        windowed: Real = 0.0
        if part is not None:
            window = self._window.of(tokens)
            windowed = part.share * self._bytes(count, window)
            attended = attended + part.share * count(window)
            recent = recent + part.share * count(least(window, method.recent))
        missed = 0.0 if method.offload is None else 1.0 - method.offload.hit
        return Read(attended, chosen + windowed + self._side, missed * self.remote * chosen, attended - recent)

    def stored(self, tokens: Real, prompt: Real, final: Real) -> tuple[Real, Real]:
        """Mean bytes of a sequence in one layer: on the device, and in the tier that the method names. [B]"""
        method = self.method
        if method.linear:
            return (self.token + self.index) * tokens, 0.0
        count = self._counter(lambda limit: least(tokens, limit), prompt, final)
        kept = self.outside * self._bytes(count, FAR)
        whole = kept * self._merging
        if method.windowed is not None:
            whole = whole + method.windowed.share * self._bytes(count, self._window.of(tokens)) * self._merging
        whole = whole + least(tokens, 1.0) * self._side + self.index * tokens + self.summaries(tokens)
        if method.offload is None:
            return whole, 0.0
        # where steps find a part of what they read, all of it stays in a buffer
        buffer = self.remote * self.outside * self._bytes(count, self._reads.of(tokens))
        return whole - kept * self.remote + choose(method.offload.hit > 0.0, buffer, 0.0), kept * self.remote

    def bends(self, generated: Real) -> list[Real]:
        """Where the bytes of a sequence (`stored`) bend as it grows; `generated` tokens come after its prompt. [1]"""
        return meetings(self._lines(generated))

    def _lines(self, generated: Real) -> list[Line]:
        """Lines of which the numbers of tokens in `stored` are the least and the largest."""
        method = self.method
        lines = [*self._kept(generated), *self._window.lines(), (method.recent, 0.0)]
        if method.offload is not None:
            lines += self._reads.lines()
        return lines if method.low_rank is None else [*lines, (1.0, 0.0)]

    @property
    def cuts(self) -> bool:
        """Whether a prompt takes more while it is computed than what stays of it."""
        return self.method.offload is None and (self.method.budget is not None or self.method.windowed is not None)

    @property
    def _chunk(self) -> Real:
        """Tokens of a prompt that are computed at once, beside those that the budget holds of it. [1]"""
        budget = self.method.budget
        return FAR if budget is None or budget.chunk is None else budget.chunk

    @property
    def _prompt_window(self) -> Real:
        """Most tokens of a prompt that windowed heads or layers keep while it is computed. [1]"""
        part = self.method.windowed
        return FAR if part is None or part.prompts is None else part.sinks + part.prompts

    def prompt(self, tokens: Real) -> Real:
        """Bytes that a layer's cache of a prompt takes while it is computed, beyond what stays of it. [B]

        Negative where what stays is more: not compressed yet, or with summaries.
        """
        if not self.cuts:
            return 0.0
        seen = least(tokens, self.held(tokens, tokens) + self._chunk)
        whole = self.outside * seen
        if self.method.windowed is not None:
            whole = whole + self.method.windowed.share * least(seen, self._prompt_window)
        return self.token * whole - self.stored(tokens, tokens, tokens)[0]

    def prompt_bends(self) -> list[Real]:
        """Where the bytes of `prompt` bend as the prompt grows. [1]"""
        seen = [(start + self._chunk, slope) for start, slope in self._budget.lines()]
        return meetings([*self._lines(0.0), *seen, (self._prompt_window, 0.0)])

    def summaries(self, tokens: Real) -> Real:
        """Bytes of the summaries of all pages of a sequence, over heads and layers that choose among them. [B]"""
        chosen = self.method.selection
        return 0.0 if chosen is None else tokens / chosen.page * self.outside * self._page

    @property
    def _merging(self) -> Real:
        """Bytes that layers with a common cache store over those of layers with their own (MiniCache, sec. 4). [1]"""
        part = self.method.merged
        if part is None:
            return 1.0
        return 1.0 - part.share * most(1.0 - 1.0 / part.layers - part.retained, 0.0)

    @property
    def repeated(self) -> Real:
        """Share of what is read that another layer has read before. [1]"""
        return 1.0 - self._merging

    @property
    def remote(self) -> Real:
        """Share of a token's bytes that lies in the tier that the method names. [1]"""
        part = self.method.offload
        if part is None:
            return 0.0
        return 1.0 if part.part == "all" else self.values * self.value_bytes / self.token

    def prompt_writes(self, length: Real, limited: bool) -> tuple[Real, Real]:
        """Mean bytes that must be written of each token of a prompt: to the device, and to the method's tier. [B]

        Where the method limits a layer (`limited`), what it drops need not be written.
        """
        if self.method.linear or not limited:
            return self.token + self.index, 0.0
        count = self._counter(lambda limit: least(length, limit), length, length)
        away = self.outside * count(FAR) * self.token * self.remote / length
        kept, part = self.outside * count(FAR), self.method.windowed
        if part is not None:
            kept = kept + part.share * count(self._window.of(length))
        return kept / length * self.token + self.index - away, away

    def scored(self, read: Real) -> Real:
        """Bytes of accumulated scores that a step writes beside reading them. [B]"""
        return read * self.heads * self.method.score_bits / 8

    def dequantization(self, read: Read) -> Real:
        """Vector operations to turn what a step reads into 16 bit, and to add up scores. [FLOP]"""
        scores = choose(self.method.score_bits > 0, self.heads * read.tokens, 0.0)
        return read.compressed * self.elements * self.method.dequantize_flops + scores

    def corrections(self, read: Real) -> Real:
        """Operations of the products with side matrices for one new token of a sequence. [FLOP]

        A query meets the small side of a head's two matrices, then the long one (GEAR, arXiv:2403.05527, sec. 3);
        shared keys are rebuilt for all heads (ShadowKV, arXiv:2410.21465, sec. 4.2).
        """
        rank = self.method.low_rank
        if rank is None:
            return 0.0
        if rank.replaces_keys:
            return 2.0 * read * rank.rank * self.keys
        return 4.0 * self.heads * rank.rank * (read + self.head_dim)


def cache_of(model: Model, shards: Shards, formats: Formats) -> Cache | None:
    """The cache of one attention layer; None where the model has no attention."""
    if model.attention is None:
        return None
    method = formats.cache
    key = stored_bits(method, method.key_elements) / 8
    value = key if method.values is None else stored_bits(method, method.values) / 8
    if model.mla:
        latent = model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
        return Cache(method, latent, 0.0, key, value, shards.heads, 1.0, latent, _index(model, formats))
    attention = model.attention
    width = shards.kv_heads * attention.head_dim
    values = 0.0 if attention.shared_kv else shards.kv_heads * (attention.v_head_dim or attention.head_dim)
    index = 0.0 if model.compression else _index(model, formats)
    return Cache(method, width, values, key, value, shards.heads, shards.kv_heads, attention.head_dim, index)


def _index(model: Model, formats: Formats) -> Real:
    """Bytes that the keys of an indexer take of a token, the mean over layers that keep all tokens. [B]"""
    indexer, attention = model.indexer, model.attention
    if indexer is None or attention is None:
        return 0.0
    share = scoring_layers(model) / (model.attention_layers - attention.windowed_layers)
    return formats.index_bytes(indexer.head_dim) * share / indexer.pool


def entries(model: Model, own: Cache | None, formats: Formats) -> Real:
    """Bytes that compressed entries and the keys that pick among them take of a token, over all layers. [B]"""
    if own is None or not model.compression:
        return 0.0
    kept = own.token * sum([part.layers / part.ratio for part in model.compression])
    indexer = model.indexer
    picks = formats.index_bytes(indexer.head_dim) * scoring_layers(model) / indexer.pool if indexer else 0.0
    return kept + picks
