"""Why flags that several tools have are not modelled, or change nothing: the words that every report uses."""

from __future__ import annotations

LOGS = "concerns logs, metrics and traces"
DISAGGREGATED = "disaggregated prefill and KV-cache transfers are not modelled"
SPECULATIVE = "speculative decoding is not modelled: tokens of one step can be several"
LORA = "LoRA adapters are not modelled: neither their memory nor their products"
GRAPHS = "all batches are taken to replay captured graphs, compiled as the engine was when it was measured"
KERNELS = "the kernels are those that the engine was measured with"
SCHEDULER = "the scheduler is that of the engine as it was measured"
ROUTING = "the load on experts is as the workload's routing says"
POOL = "the size of the KV pool follows from the memory"
TEXT = "only the language model is modelled, on text"
CHECKPOINT = "the model is imported as its checkpoint describes it"
DEVICE = "the hardware's own kind of device is taken"
