#!/bin/sh
# EleutherAI's lm-eval against the server: it scores choices by the log probabilities of prompts, with the
# server's own tokenizer. The task is a small one of this folder; tasks of lm-eval's are named in its place.
# pip install "lm-eval[api]"; then 'rushlight serve' in another terminal.
set -eu
url=${RUSHLIGHT_URL:-http://127.0.0.1:8080}
cd "$(dirname "$0")/lm_eval"

lm_eval run --model local-completions \
    --model_args "model=${RUSHLIGHT_MODEL:-smollm2},base_url=$url/v1/completions,tokenizer_backend=remote,num_concurrent=4" \
    --include_path . --tasks capitals
