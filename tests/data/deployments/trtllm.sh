#!/usr/bin/env bash
# Written by hand after nvidia.github.io/TensorRT-LLM (trtllm-serve, deployment guides).
cat > extra-llm-api-config.yml <<EOF
enable_attention_dp: false
kv_cache_config:
  free_gpu_memory_fraction: 0.85
  dtype: fp8
cuda_graph_config: null
speculative_config:
  decoding_type: MTP
  num_nextn_predict_layers: 1
EOF

mpirun -n 1 trtllm-serve openai/gpt-oss-120b --host 0.0.0.0 --tp_size 4 --ep_size 4 --max_batch_size 512 \
    --max_num_tokens 4096 --max_seq_len 16384 --kv_cache_free_gpu_memory_fraction 0.9 \
    --extra_llm_api_options ./extra-llm-api-config.yml
