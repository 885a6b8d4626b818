#!/bin/bash
# Written by hand after docs.vllm.ai (vllm serve, engine arguments); not taken from anyone's deployment.
set -e
export MODEL=meta-llama/Llama-3.1-70B-Instruct
TP=8

# The server itself; don't forget the token.
VLLM_LOGGING_LEVEL=INFO exec vllm serve "$MODEL" \
  --tensor-parallel-size ${TP} \
  --quantization fp8 \
  --kv-cache-dtype fp8_e4m3 \
  --max-model-len 32k \
  --max-num-seqs 128 \
  --max-num-batched-tokens=16384 \
  --gpu-memory-utilization 0.92 \
  --block-size 32 \
  --enable-prefix-caching \
  --enable-chunked-prefill \
  --speculative-config '{"method": "ngram", "num_speculative_tokens": 4}' \
  --enable-lora --max-loras 4 \
  --swap-space 16 \
  --api-key sk-very-secret \
  --host 0.0.0.0 --port "${PORT:-8000}" > server.log 2>&1 &
