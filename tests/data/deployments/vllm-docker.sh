# Written by hand after docs.vllm.ai (using Docker).
docker run --runtime nvidia --gpus all \
    -v ~/.cache/huggingface:/root/.cache/huggingface \
    --env "HF_TOKEN=hf_secret" -e VLLM_ATTENTION_BACKEND=FLASHINFER \
    -p 8000:8000 --ipc=host \
    vllm/vllm-openai:v0.6.3 \
    --model mistralai/Mistral-7B-v0.3 --max-model-len 8192 --some-new-flag 3
