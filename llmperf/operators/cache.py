"""One attention layer's KV cache of one sequence on one device: what a method stores, reads and fetches of it."""

from __future__ import annotations

from dataclasses import dataclass

from llmperf.descriptors.kv_cache import Budget, KvCacheFormat, stored_bits
from llmperf.numeric import Real, choose, least, most
from llmperf.operators.build import Build


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
        return (self.token if self.method.linear or self.method.recent == 0 else self._recent) + self.index

    @property
    def outside(self) -> Real:
        """Share of heads or layers that are not windowed. [1]"""
        return 1.0 if self.method.windowed is None else 1.0 - self.method.windowed.share

    def window(self, tokens: Real) -> Real:
        """Tokens that windowed heads or layers keep of a sequence. [1]"""
        part = self.method.windowed
        if part is None:
            return tokens
        return least(tokens, part.sinks + most(part.tokens, part.length_share * tokens))

    def kept(self, tokens: Real, prompt: Real, final: Real) -> Real:
        """Tokens that the others keep of a sequence of `tokens`, begun with `prompt`, to grow to `final`. [1]"""
        return _within(self.method.budget, tokens, prompt, final)

    def read(self, tokens: Real, prompt: Real, final: Real) -> Real:
        """Mean tokens, over heads and layers, that a decode step reads of a sequence. [1]"""
        kept = self.kept(tokens, prompt, final)
        some = least(kept, _within(self.method.reads, tokens, prompt, final))
        if self.method.windowed is None:
            return some
        return self.outside * some + self.method.windowed.share * least(kept, self.window(tokens))

    def bytes(self, tokens: Real) -> Real:
        """Bytes of `tokens` stored tokens, the last of them not compressed yet. [B]"""
        if self.method.linear:
            return self.token * tokens
        recent = least(tokens, self.method.recent)
        return self.token * (tokens - recent) + self._recent * recent

    def stored(self, tokens: Real, prompt: Real, final: Real) -> tuple[Real, Real]:
        """Mean bytes of a sequence in one layer: on the device, and in the tier that the method names. [B]"""
        method = self.method
        if method.linear:
            return (self.token + self.index) * tokens, 0.0
        kept = self.kept(tokens, prompt, final)
        whole = self.outside * self.bytes(kept) * self._merging
        if method.windowed is not None:
            whole = whole + method.windowed.share * self.bytes(least(kept, self.window(tokens))) * self._merging
        rank = method.low_rank
        if rank is not None:  # the side that does not grow with the tokens
            columns = self.keys if rank.replaces_keys else 2.0 * self.kv_heads * self.head_dim
            whole = whole + least(tokens, 1.0) * columns * rank.rank * rank.bits / 8
        whole = whole + self.index * tokens + self.summaries(tokens)
        if method.offload is None:
            return whole, 0.0
        away = self.outside * self.bytes(kept) * self.remote
        chosen = self.remote * self.bytes(self.read(tokens, prompt, final))  # what steps find there from those before
        return whole - away + choose(method.offload.hit > 0.0, chosen, 0.0), away

    def summaries(self, tokens: Real) -> Real:
        """Bytes of the summaries of all pages of a sequence, over heads and layers that choose among them. [B]"""
        chosen = self.method.selection
        return 0.0 if chosen is None else tokens / chosen.page * self.outside * self._page

    @property
    def _merging(self) -> Real:
        """Bytes that layers with a common cache store over those of layers with their own. [1]"""
        part = self.method.merged
        if part is None:
            return 1.0
        return 1.0 - part.share * (1.0 - 1.0 / part.layers) * (1.0 - part.retained)

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

    def fetched(self, read: Real) -> Real:
        """Bytes of the `read` tokens of a step that come from the tier that the method names. [B]"""
        part = self.method.offload
        return 0.0 if part is None else (1.0 - part.hit) * self.remote * self.bytes(read)

    def written_share(self, length: Real, limited: bool) -> Real:
        """Share of a prompt's tokens that stay, where the method limits them: what must be written of them. [1]"""
        if self.method.linear or not limited:
            return 1.0
        kept = self.kept(length, length, length)
        part = self.method.windowed
        if part is not None:
            kept = self.outside * kept + part.share * least(kept, self.window(length))
        return kept / length

    def scored(self, read: Real) -> Real:
        """Bytes of accumulated scores that a step writes beside reading them. [B]"""
        return read * self.heads * self.method.score_bits / 8

    def dequantization(self, read: Real) -> Real:
        """Vector operations to turn the `read` tokens of a sequence into 16 bit, and to add up their scores. [FLOP]"""
        compressed = read if self.method.linear else most(read - self.method.recent, 0.0)
        scores = self.heads * read if self.method.score_bits else 0.0
        return compressed * self.elements * self.method.dequantize_flops + scores

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


def _within(budget: Budget | None, tokens: Real, prompt: Real, final: Real) -> Real:
    """Tokens that a budget leaves of a sequence. [1]"""
    if budget is None:
        return tokens
    limit = most(budget.tokens, budget.share * (prompt if budget.of == "prompt" else final))
    return least(prompt, limit) + tokens - prompt if budget.grows else least(tokens, limit)


def cache(build: Build) -> Cache | None:
    """The cache of one attention layer; None where the model has no attention."""
    model, shards, formats = build.model, build.shards, build.formats
    if model.attention is None:
        return None
    method = formats.cache
    key = stored_bits(method, method.key_elements) / 8
    value = key if method.values is None else stored_bits(method, method.values) / 8
    if model.mla:
        latent = model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
        index = formats.index_bytes(model.indexer.head_dim) if model.indexer else 0.0
        return Cache(method, latent, 0.0, key, value, shards.heads, 1.0, latent, index)
    width = shards.kv_heads * model.attention.head_dim
    return Cache(method, width, width, key, value, shards.heads, shards.kv_heads, model.attention.head_dim, 0.0)
