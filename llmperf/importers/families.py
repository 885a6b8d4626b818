"""Architectures that Hugging Face configurations name, and the mapping of each."""

from __future__ import annotations

from llmperf.importers import families_classic as classic
from llmperf.importers import families_dense as dense
from llmperf.importers import families_encoder as encoder
from llmperf.importers import families_hybrid as hybrid
from llmperf.importers import families_moe as sparse
from llmperf.importers import families_recurrent as recurrent
from llmperf.importers import families_sparse as indexed
from llmperf.importers import generic
from llmperf.importers.family import Family
from llmperf.importers.parts import Shape
from llmperf.importers.reader import Reader
from llmperf.importers.standard import standard


def _plain(read: Reader) -> Shape:
    return generic.plain_decoder(read, FAMILIES)


GENERIC = Family("generic", "", _plain, moe=True)
"""Any other decoder; it refuses whatever it does not know by itself."""

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

_DOTS1 = Family("dots1", "dots1", standard(qk_norm="head", router_bias=True), moe=True)
_ERNIE_MOE = Family("ernie4.5-moe", "ernie4_5_moe", standard(router_bias=True), moe=True)
_HUNYUAN_MOE = Family("hunyuan-moe", "hunyuan_v1_moe hunyuan", standard(qk_norm="head"), moe=True)
_HY4 = Family("hy4", "hy_v4 hy_v4_vl_text", indexed.hy4, moe=True)
_BAILING = Family("bailing-moe", "bailing_moe", standard(qk_norm="head", router_bias=True), moe=True)
_BAILING_HYBRID = Family("bailing-hybrid", "bailing_hybrid", hybrid.kimi_linear, moe=True)
_KIMI_LINEAR = Family("kimi-linear", "kimi_linear kimi_k3", hybrid.kimi_linear, moe=True)
_MIMO2 = Family("mimo-v2", "mimo_v2_flash mimo_v2", indexed.mimo2, moe=True)
_STEP35 = Family("step-3.5", "step3p5 step3p7", indexed.step35, moe=True)
_STEP3 = Family("step-3", "step3_text", indexed.step3, moe=True)
_GEMMA4 = Family("gemma4", "gemma4_text gemma4 gemma4_unified_text", indexed.gemma4, moe=True)
_M3 = Family("minimax-m3", "minimax_m3_vl_text minimax_m3 minimax_m3_vl", indexed.minimax_m3, moe=True)
_MINIMAX01 = Family("minimax-01", "minimax minimax_text_01 minimax_m1", hybrid.minimax_01, moe=True)
_QWEN4 = Family("qwen4", "qwen4_exp_text qwen4_exp", indexed.qwen4, moe=True)
_LFM2 = Family("lfm2", "lfm2 lfm2_moe lfm3", hybrid.lfm2, moe=True)
_GLM5_NEXT = Family("glm5-next", "glm5_next_text glm5_next", indexed.glm5_next, moe=True)
_LATENT = Family("latent-moe", "axk1 glm4_moe_lite mistral4 sarvam_mla_moe", standard(router_bias=True), moe=True)
_LATENT_DENSE = Family("latent", "minicpm3 youtu", standard(), moe=True)
_EXAONE_MOE = Family("exaone-moe", "exaone_moe", standard(qk_norm="head", router_bias=True), moe=True)

FAMILIES: dict[str, Family] = {
    "Dots1ForCausalLM": _DOTS1,
    "Ernie4_5ForCausalLM": Family("ernie4.5", "ernie4_5", standard()),
    "Ernie4_5_MoeForCausalLM": _ERNIE_MOE,
    "HunYuanDenseV1ForCausalLM": Family("hunyuan", "hunyuan_v1_dense", standard(qk_norm="head")),
    "HunYuanMoEV1ForCausalLM": _HUNYUAN_MOE,
    "HYV3ForCausalLM": Family("hy3", "hy_v3", standard(qk_norm="head", router_bias=True), moe=True),
    "HYV4ForCausalLM": _HY4,
    "HYV4VLForConditionalGeneration": _HY4,
    "BailingMoeForCausalLM": _BAILING,
    "BailingMoeV2ForCausalLM": _BAILING,
    "BailingHybridForCausalLM": _BAILING_HYBRID,
    "BailingMoeV2_5ForCausalLM": _BAILING_HYBRID,
    "KimiLinearForCausalLM": _KIMI_LINEAR,
    "KimiK3ForConditionalGeneration": _KIMI_LINEAR,
    "MiMoForCausalLM": Family("mimo", "mimo", standard(qkv_bias=True)),
    "MiMoV2FlashForCausalLM": _MIMO2,
    "MiMoV2ForCausalLM": _MIMO2,
    "Step3TextForCausalLM": _STEP3,
    "Step3p5ForCausalLM": _STEP35,
    "Step3p7ForConditionalGeneration": _STEP35,
    "Gemma4ForCausalLM": _GEMMA4,
    "Gemma4ForConditionalGeneration": _GEMMA4,
    "Gemma4UnifiedForCausalLM": _GEMMA4,
    "Gemma4UnifiedForConditionalGeneration": _GEMMA4,
    "DeepseekV4ForCausalLM": Family("deepseek-v4", "deepseek_v4", indexed.deepseek_v4, moe=True),
    "MiniMaxM3VLForCausalLM": _M3,
    "MiniMaxM3ForCausalLM": _M3,
    "MiniMaxM3SparseForConditionalGeneration": _M3,
    "MiniMaxForCausalLM": _MINIMAX01,
    "MiniMaxText01ForCausalLM": _MINIMAX01,
    "MiniMaxM1ForCausalLM": _MINIMAX01,
    "Qwen4ExpForCausalLM": _QWEN4,
    "Qwen4ExpForConditionalGeneration": _QWEN4,
    "Lfm2ForCausalLM": _LFM2,
    "Lfm2MoeForCausalLM": _LFM2,
    "Lfm3ForCausalLM": _LFM2,
    "Glm5NextForConditionalGeneration": _GLM5_NEXT,
    "Glm4MoeLiteForCausalLM": _LATENT,
    "AXK1ForCausalLM": _LATENT,
    "Mistral4ForCausalLM": _LATENT,
    "MistralLarge4ForConditionalGeneration": Family(
        "mistral-large-4", "mistral_large4_text", indexed.mistral_large4, moe=True
    ),
    "MiniCPM3ForCausalLM": _LATENT_DENSE,
    "YoutuForCausalLM": _LATENT_DENSE,
    "LongcatFlashForCausalLM": Family("longcat", "longcat_flash", indexed.longcat, moe=True),
    "LagunaForCausalLM": Family("laguna", "laguna", indexed.laguna, moe=True),
    "SolarOpenForCausalLM": Family("solar-open", "solar_open", standard(router_bias=True), moe=True),
    "AfmoeForCausalLM": Family("afmoe", "afmoe", indexed.afmoe, moe=True),
    "ExaoneMoeForCausalLM": _EXAONE_MOE,
    "NemotronHForCausalLM": Family("nemotron-h", "nemotron_h", hybrid.nemotron_h, moe=True),
    "GraniteMoeHybridForCausalLM": Family("granite-h", "granitemoehybrid", hybrid.granite_hybrid, moe=True),
    "BambaForCausalLM": Family("bamba", "bamba", hybrid.bamba),
    "FalconH1ForCausalLM": Family("falcon-h1", "falcon_h1", hybrid.falcon_h1),
    "FalconMambaForCausalLM": Family("falcon-mamba", "falcon_mamba", recurrent.mamba1),
    "ApertusForCausalLM": Family("apertus", "apertus", standard(qk_norm="head", ungated=True)),
    "ArceeForCausalLM": Family("arcee", "arcee", standard(ungated=True)),
    "OlmoHybridForCausalLM": Family("olmo-hybrid", "olmo_hybrid", standard(qk_norm="all")),
    "MuseGlimmerForConditionalGeneration": Family(
        "muse-glimmer", "muse_glimmer_text", standard(output_gate=True, norms=4), moe=True
    ),
    "SeedOssForCausalLM": Family("seed-oss", "seed_oss", standard(qkv_bias=True)),
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
    "KimiK25ForConditionalGeneration": _DEEPSEEK3,
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
