#!/bin/bash
# Written by hand after NVIDIA/Megatron-LM, examples/gpt3/train_gpt3_175b_distributed.sh.
GPUS_PER_NODE=8
NUM_NODES=16
CHECKPOINT_PATH=$1
DISTRIBUTED_ARGS=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES
    --master_addr localhost   # changed by the scheduler
)
GPT_MODEL_ARGS=(
    --num-layers 96
    --hidden-size 12288
    --num-attention-heads 96
    --seq-length 2048
    --max-position-embeddings 2048
)
TRAINING_ARGS=(--micro-batch-size 1 --global-batch-size 1536 --bf16 --lr 6.0e-5)
MODEL_PARALLEL_ARGS=(
    --tensor-model-parallel-size 8
    --pipeline-model-parallel-size 16
)
torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py \
    ${GPT_MODEL_ARGS[@]} \
    ${TRAINING_ARGS[@]} \
    ${MODEL_PARALLEL_ARGS[@]} --save $CHECKPOINT_PATH
