"""OpenVINO GenAI, in a process of its own; see `benchmarks.python_peer` for what it is told and tells."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import openvino_genai


def tokens(pipeline: Any, prompt: list[int], n: int) -> list[float]:
    """Generate `n` tokens greedily; the moments when each was there, the start first."""
    moments = [time.perf_counter()]

    class Listener(openvino_genai.StreamerBase):  # type: ignore[misc]
        def write(self, _: object) -> Any:
            moments.append(time.perf_counter())
            return openvino_genai.StreamingStatus.RUNNING

        def end(self) -> None:
            pass

    config = openvino_genai.GenerationConfig(max_new_tokens=n, ignore_eos=True, do_sample=False)
    inputs = openvino_genai.openvino.Tensor(np.array([prompt], np.int64))
    pipeline.generate(inputs, config, Listener())
    return moments


def main() -> None:
    task = json.loads(sys.argv[1])
    properties = {"INFERENCE_NUM_THREADS": task["threads"], "NUM_STREAMS": 1}
    pipeline = openvino_genai.LLMPipeline(task["file"], "CPU", **properties)
    prompt = task["prompt"]
    found: dict[str, Any] = {"version": openvino_genai.get_version()}
    tokens(pipeline, [9] * 32, 4)
    if prompt:
        start, first, *_ = tokens(pipeline, prompt, 1)
        found["prefill"] = len(prompt) / (first - start)
    if task["n_decode"]:
        moments = tokens(pipeline, [7], task["n_decode"] + 1)
        found["decode"] = task["n_decode"] / (moments[-1] - moments[1])
    print(json.dumps(found))


main()
