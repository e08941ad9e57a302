"""The words of ``docs/benchmarks.md``."""

from __future__ import annotations

HEAD = """# Benchmarks

<!-- Written by benchmarks/report.py; run `make bench`. -->

`make bench` measures this machine and writes this page. The limits come first: how fast memory is read one
byte behind the other, and how many products of 8-bit integers the processor adds with operands at hand. They
are measured by kernels that are made and run like all others, on the same threads, right before and behind
every measurement of a model: the memory of a shared machine is faster in one minute than in the next.
*Of the limit* is, for decode, the bytes of weights that a token streams over time over memory bandwidth; for
prefill, the products of its matrices over time over the dot product's peak.

All engines take turns: each is measured once a round, in a process of its own. A number is the median over
the rounds; a ratio is the median of the ratios in each round, so a machine whose speed drifts is fair to all.
Behind a peer's number stands how many times as fast Rushlight is. `rushlight bench` gives the same numbers
for one model."""

SECTIONS = {
    "models": (
        "Small models",
        "SmolLM2 135M (Q4_1) and Gemma 3 270M (Q4_K_M): a prompt of 512 tokens, and 128 tokens generated "
        "from an empty cache, in tokens a second.",
    ),
    "phi3": (
        "Phi-3-mini's shape",
        "Random weights in the shape of Phi-3-mini (3.8 billion), with the tensor types that llama-quantize "
        "chooses: a prompt of 512 tokens, and 64 tokens generated from an empty cache.",
    ),
    "depth": (
        "Long contexts",
        "Two layers of that shape and its output matrix, so that keys and values are to the weights as in "
        "the whole model. Decode behind 4,096 and 16,384 tokens, and a prompt of 8,192. Of llama.cpp and "
        "ik_llama.cpp the better of flash attention on and off.",
    ),
    "batch": (
        "Sequences together",
        "Tokens a second over all sequences that decode together.",
    ),
    "start": (
        "From nothing to the first word",
        "A whole process, from its start to the first byte of its answer, with the file in the system's "
        "cache, and its peak memory, which counts the mapped file. *New machine*: with no kernel compiled "
        "yet. llama.cpp is its `llama-completion` and ik_llama.cpp its `llama-cli`, without their warm-up.",
    ),
    "serve": (
        "Many clients of one server",
        "SmolLM2 behind `rushlight serve` and behind `llama-server`: with their own numbers of sequences at "
        "once, eight and four, or with as many as there are clients, whichever answers more. Each client "
        "asks again as soon as it is answered: prompts of 32 to 512 words and answers of 16 to 128 tokens, "
        "mixed, streamed. Tokens a second are over all clients; the time to the first token counts from the "
        "request, waiting included.",
    ),
}

OTHER_TARGET = """The same processor with `RUSHLIGHT_TARGET={}`, beside peers that were built for as much."""

MEMORY = """Peak memory is that of the whole process, over the size of the file and of the keys and values in
use. Beside it stands how much of that a Python takes that has imported NumPy and does nothing else, measured
in the same run: always as much, so little beside a large model, and more than the bar allows beside a small
one."""

PEERS = """## Where the time goes

`python -m benchmarks.profile MODEL` times every kernel of a prompt and of the tokens behind it, with the
bytes of weights and the products a second of each. What Python does between the calls of native code, of
which one may compute several tokens, is counted by `python -m benchmarks.overhead FILE THREADS N`: the time
outside of these calls in a greedy answer, divided by its tokens.

## Under load

`rushlight bench serve` loads any server that speaks OpenAI's API; see [cli.md](cli.md#bench-serve).
`python -m benchmarks.load_test` (`make test-load`) asks a server with 64 clients for ten minutes, in mixed
lengths and settings, while one client in five goes away in the middle of its answer or of its wait. Every
answer must be equal to what the same request got alone, none may be lost, all blocks of the KV cache must
come back and memory must stay flat. `--clients`, `--seconds` and `--url` change that.

## Measuring peers

```
make bench ARGS="--llama llama.cpp/build/bin --ik ik_llama.cpp/build/bin --python peers/bin/python"
```

It takes less than 40 minutes: a part begins no further round when its time is up. `--only models` (or
`phi3`, `depth`, `batch`, `start`, `serve`) measures a part, `--rounds` sets how often, `--quick` shows in a
few minutes that everything works. A peer that is missing or fails is named with the reason, and the rest
goes on.
Phi-3-mini's shape takes 5 GB in the cache. `llama-bench` is also found on the PATH.

How to get the peers:

```
git clone https://github.com/ggml-org/llama.cpp
cmake -S llama.cpp -B llama.cpp/build -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF
cmake --build llama.cpp/build --target llama-bench llama-completion llama-server -j

git clone https://github.com/ikawrakow/ik_llama.cpp
cmake -S ik_llama.cpp -B ik_llama.cpp/build -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF
cmake --build ik_llama.cpp/build --target llama-bench llama-cli -j

cmake -S llama.cpp -B llama.cpp/avx2 -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF -DGGML_NATIVE=OFF \\
    -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON -DGGML_AVX512=OFF
cmake --build llama.cpp/avx2 --target llama-bench -j

python3 -m venv peers
peers/bin/pip install llama-cpp-python openvino-genai mistralrs
peers/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
peers/bin/pip install transformers accelerate gguf
```

What a processor without AVX-512 does is measured on one that has it, and told in a section of its own:

```
RUSHLIGHT_TARGET=x86-64-v3 make bench ARGS="--only models --llama llama.cpp/avx2/bin"
```

Peers that are in no bar (llama-cpp-python, mistral.rs, transformers) are measured in the first round only,
with all threads. mistral.rs takes its prompt as text and tells its own count of tokens. transformers has no
quantized arithmetic on a CPU: it widens the weights when it loads them, to float32 or, where the processor
multiplies them, bfloat16.
"""
