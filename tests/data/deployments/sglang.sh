# Written by hand after docs.sglang.io (server arguments, multi-node deployment).
# Node 0
python -m sglang.launch_server --model-path meta-llama/Llama-3.1-405B-Instruct --tp 16 --nnodes 2 --node-rank 0 \
  --dist-init-addr 10.0.0.1:50000 --quantization fp8 --context-length 65536 --max-prefill-tokens 8192 \
  --chunked-prefill-size -1 --disable-radix-cache
# Node 1
python -m sglang.launch_server --model-path meta-llama/Llama-3.1-405B-Instruct --tp 16 --nnodes 2 --node-rank 1 \
  --dist-init-addr 10.0.0.1:50000
