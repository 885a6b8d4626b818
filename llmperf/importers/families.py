"""Architectures that Hugging Face configurations name, and the mapping of each."""

from __future__ import annotations

from llmperf.importers import families_classic as classic
from llmperf.importers import families_dense as dense
from llmperf.importers import families_encoder as encoder
from llmperf.importers import families_moe as sparse
from llmperf.importers import families_recurrent as recurrent
from llmperf.importers import generic
from llmperf.importers.family import Family
from llmperf.importers.parts import Shape
from llmperf.importers.reader import Reader


def _plain(read: Reader) -> Shape:
    return generic.plain_decoder(read, FAMILIES)


GENERIC = Family("generic", "", _plain, moe=True)
"""Any other decoder; it refuses experts, and whatever else it does not know, by itself."""

_LLAMA = Family("llama", "llama aquila", dense.llama)
_MISTRAL = Family("mistral", "mistral ministral ministral3", dense.mistral)
_QWEN2 = Family("qwen2", "qwen2 qwen2_vl qwen2_vl_text qwen2_5_vl qwen2_5_vl_text", dense.qwen2)
_QWEN3 = Family("qwen3", "qwen3 qwen3_vl_text", dense.qwen3)
_QWEN3_MOE = Family("qwen3-moe", "qwen3_moe qwen3_vl_moe_text", sparse.qwen3_moe, moe=True)
_QWEN3_NEXT = Family(
    "qwen3-next", "qwen3_next qwen3_5 qwen3_5_text qwen3_5_moe qwen3_5_moe_text", recurrent.qwen3_next, moe=True
)
_GEMMA3 = Family("gemma3", "gemma3_text gemma3", dense.gemma3)
_DEEPSEEK3 = Family("deepseek-v3", "deepseek_v3 kimi_k2", sparse.deepseek_v3, moe=True)
_GLM5 = Family("glm5", "glm_moe_dsa", sparse.deepseek_v32, moe=True)
_CHATGLM = Family("chatglm", "chatglm", dense.chatglm)
_BAICHUAN = Family("baichuan", "baichuan", dense.baichuan)
_GROK = Family("grok", "grok-1 grok1", sparse.grok1, moe=True)
_BITNET = Family("bitnet", "bitnet", dense.bitnet)
_OLMO2 = Family("olmo2", "olmo2 olmo3", dense.olmo2)
_LLAMA4 = Family("llama4", "llama4_text llama4", sparse.llama4, moe=True)
_MINIMAX = Family("minimax", "minimax_m2", sparse.minimax_m2, moe=True)
_MPT = Family("mpt", "mpt", classic.mpt)
_FALCON = Family("falcon", "falcon RefinedWeb RefinedWebModel", classic.falcon)
_T5 = Family("t5", "t5", encoder.t5)
_MT5 = Family("t5", "mt5 umt5", encoder.mt5)
_BERT = Family("bert", "bert", encoder.bert)
_ROBERTA = Family("roberta", "xlm-roberta roberta camembert", encoder.bert)

FAMILIES: dict[str, Family] = {
    "LlamaForCausalLM": _LLAMA,
    "LLaMAForCausalLM": _LLAMA,
    "YiForCausalLM": Family("yi", "Yi", dense.llama),
    "MistralForCausalLM": _MISTRAL,
    "Mistral3ForConditionalGeneration": _MISTRAL,
    "MixtralForCausalLM": Family("mixtral", "mixtral", sparse.mixtral, moe=True),
    "Qwen2ForCausalLM": _QWEN2,
    "Qwen2VLForConditionalGeneration": _QWEN2,
    "Qwen2_5_VLForConditionalGeneration": _QWEN2,
    "Qwen2MoeForCausalLM": Family("qwen2-moe", "qwen2_moe", sparse.qwen2_moe, moe=True),
    "Qwen3ForCausalLM": _QWEN3,
    "Qwen3VLForConditionalGeneration": _QWEN3,
    "Qwen3MoeForCausalLM": _QWEN3_MOE,
    "Qwen3VLMoeForConditionalGeneration": _QWEN3_MOE,
    "Qwen3NextForCausalLM": _QWEN3_NEXT,
    "Qwen3_5ForCausalLM": _QWEN3_NEXT,
    "Qwen3_5ForConditionalGeneration": _QWEN3_NEXT,
    "Qwen3_5MoeForCausalLM": _QWEN3_NEXT,
    "Qwen3_5MoeForConditionalGeneration": _QWEN3_NEXT,
    "GemmaForCausalLM": Family("gemma", "gemma", dense.gemma),
    "Gemma2ForCausalLM": Family("gemma2", "gemma2", dense.gemma2),
    "Gemma3ForCausalLM": _GEMMA3,
    "Gemma3ForConditionalGeneration": _GEMMA3,
    "DeepseekV2ForCausalLM": Family("deepseek-v2", "deepseek_v2", sparse.deepseek_v2, moe=True),
    "DeepseekV3ForCausalLM": _DEEPSEEK3,
    "DeepseekV32ForCausalLM": Family("deepseek-v3.2", "deepseek_v32", sparse.deepseek_v32, moe=True),
    "KimiK2ForCausalLM": _DEEPSEEK3,
    "GlmForCausalLM": Family("glm", "glm", dense.glm),
    "Glm4ForCausalLM": Family("glm4", "glm4", dense.glm4),
    "Glm4MoeForCausalLM": Family("glm4-moe", "glm4_moe glm4v_moe_text", sparse.glm4_moe, moe=True),
    "GlmMoeDsaForCausalLM": _GLM5,
    "ChatGLMModel": _CHATGLM,
    "ChatGLMForConditionalGeneration": _CHATGLM,
    "GPT2LMHeadModel": Family("gpt2", "gpt2", classic.gpt2),
    "GPTNeoXForCausalLM": Family("gpt-neox", "gpt_neox", classic.gpt_neox),
    "GPTJForCausalLM": Family("gpt-j", "gptj", classic.gptj),
    "GPTBigCodeForCausalLM": Family("gpt-bigcode", "gpt_bigcode", classic.gpt_bigcode),
    "OPTForCausalLM": Family("opt", "opt", classic.opt),
    "BloomForCausalLM": Family("bloom", "bloom", classic.bloom),
    "FalconForCausalLM": _FALCON,
    "RWForCausalLM": _FALCON,
    "MPTForCausalLM": _MPT,
    "MptForCausalLM": _MPT,
    "PhiForCausalLM": Family("phi", "phi", classic.phi),
    "Phi3ForCausalLM": Family("phi3", "phi3", dense.phi3),
    "Phi4MMForCausalLM": Family("phi4-mm", "phi4mm", dense.phi3),
    "PhiMoEForCausalLM": Family("phi-moe", "phimoe", sparse.phimoe, moe=True),
    "CohereForCausalLM": Family("cohere", "cohere", classic.cohere),
    "Cohere2ForCausalLM": Family("cohere2", "cohere2", classic.cohere2),
    "StableLmForCausalLM": Family("stablelm", "stablelm", classic.stablelm),
    "Starcoder2ForCausalLM": Family("starcoder2", "starcoder2", classic.starcoder2),
    "InternLM2ForCausalLM": Family("internlm2", "internlm2", dense.internlm2),
    "BaichuanForCausalLM": _BAICHUAN,
    "BaiChuanForCausalLM": _BAICHUAN,
    "OlmoForCausalLM": Family("olmo", "olmo", dense.olmo),
    "Olmo2ForCausalLM": _OLMO2,
    "Olmo3ForCausalLM": _OLMO2,
    "OlmoeForCausalLM": Family("olmoe", "olmoe", sparse.olmoe, moe=True),
    "GraniteForCausalLM": Family("granite", "granite", dense.llama),
    "GraniteMoeForCausalLM": Family("granite-moe", "granitemoe granitemoeshared", sparse.granite_moe, moe=True),
    "GraniteMoeSharedForCausalLM": Family("granite-moe", "", sparse.granite_moe, moe=True),
    "DbrxForCausalLM": Family("dbrx", "dbrx", sparse.dbrx, moe=True),
    "Grok1ForCausalLM": _GROK,
    "Grok1ModelForCausalLM": _GROK,
    "ArcticForCausalLM": Family("arctic", "arctic", sparse.arctic, moe=True),
    "JambaForCausalLM": Family("jamba", "jamba", recurrent.jamba, moe=True),
    "MambaForCausalLM": Family("mamba", "mamba", recurrent.mamba1),
    "Mamba2ForCausalLM": Family("mamba2", "mamba2", recurrent.mamba2),
    "Llama4ForCausalLM": _LLAMA4,
    "Llama4ForConditionalGeneration": _LLAMA4,
    "GptOssForCausalLM": Family("gpt-oss", "gpt_oss", sparse.gpt_oss, moe=True),
    "MiniMaxM2ForCausalLM": _MINIMAX,
    "SmolLM3ForCausalLM": Family("smollm3", "smollm3", dense.smollm3),
    "SmallThinkerForCausalLM": Family("smallthinker", "smallthinker", sparse.smallthinker, moe=True),
    "ExaoneForCausalLM": Family("exaone", "exaone", dense.exaone),
    "Exaone4ForCausalLM": Family("exaone4", "exaone4", dense.exaone4),
    "NemotronForCausalLM": Family("nemotron", "nemotron", classic.nemotron),
    "BitNetForCausalLM": _BITNET,
    "BitnetForCausalLM": _BITNET,
    "T5ForConditionalGeneration": _T5,
    "T5WithLMHeadModel": _T5,
    "MT5ForConditionalGeneration": _MT5,
    "WhisperForConditionalGeneration": Family("whisper", "whisper", encoder.whisper),
    "ViTForImageClassification": Family("vit", "vit", encoder.vit),
    "BertModel": _BERT,
    "BertForMaskedLM": _BERT,
    "RobertaModel": _ROBERTA,
    "RobertaForMaskedLM": _ROBERTA,
    "XLMRobertaModel": _ROBERTA,
    "XLMRobertaForMaskedLM": _ROBERTA,
}
"""Mapped architectures, by the name that config.json gives them."""


def by_model_type(model_type: object) -> str | None:
    """Architecture of a `model_type`: nested configs often name only that."""
    for architecture, family in FAMILIES.items():
        if model_type in family.model_types.split():
            return architecture
    return None
