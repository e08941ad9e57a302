"""The requests of words.json: how each is run in every way that must not change a bit of it.

Used by the tests, by make_words.py, which writes the file, and by check_words.py, which needs nothing but
Rushlight itself and so runs where no test does.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rushlight import LLM, SamplingParams
from rushlight.engine import generation
from rushlight.engine.scheduler import Scheduler
from rushlight.engine.stride import Stride
from rushlight.hub import resolve
from rushlight.params import EngineOptions

WORDS = Path(__file__).parent / "words.json"
TINY = Path(__file__).parents[1] / "data" / "tiny"


@dataclass(frozen=True)
class Words:
    """What a request gives.

    Attributes:
        token_ids: the answer.
        logits: sha256 of the logits that each of its tokens was drawn from, row after row, float32 and little
            endian; with `all_logits` of those after every token of the prompt; "" where they were not seen.
    """

    token_ids: list[int]
    logits: str


@dataclass(frozen=True)
class Request:
    """One prompt and how to continue it.

    Attributes:
        name: unique within a model.
        prompt: a text, or messages for the chat template.
        n_tokens: the prompt's tokens are repeated, or cut, to be this many; 0: they stay as they are.
        params: of `SamplingParams`, a seed unique within a model among them.
        all_logits: compute the logits after every token of the prompt, and no answer.
    """

    name: str
    prompt: str | list[dict[str, str]]
    n_tokens: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    all_logits: bool = False

    def prompt_ids(self, llm: LLM) -> list[int]:
        """The tokens of the prompt."""
        text = self.prompt if isinstance(self.prompt, str) else llm.apply_chat_template(list(self.prompt))
        ids = llm.tokenize(text)
        return (ids * -(-self.n_tokens // len(ids)))[: self.n_tokens] if self.n_tokens else ids

    def sampling(self) -> SamplingParams:
        """`params`, with the token ids of a bias as integers again, which JSON makes strings."""
        bias = {int(i): b for i, b in self.params.get("logit_bias", {}).items()}
        return SamplingParams(**{**self.params, "logit_bias": bias})


@dataclass(frozen=True)
class Model:
    """A model file, the context to load it for, its requests; once recorded, its hash and what they give."""

    name: str
    n_ctx: int
    requests: tuple[Request, ...]
    sha256: str = ""
    expected: Mapping[str, Words] = field(default_factory=dict)

    @property
    def is_tiny(self) -> bool:
        """Whether it is one of the tiny random models."""
        return (TINY / f"{self.name}.gguf").exists()

    @property
    def path(self) -> Path:
        """Its file; a model that is not tiny is an alias."""
        return TINY / f"{self.name}.gguf" if self.is_tiny else resolve(self.name).path


@dataclass(frozen=True)
class Scenario:
    """A way to run requests.

    Attributes:
        n_threads: to compute with.
        together: all requests at once, in an order of their own, rather than one after the other.
        repeat: how many times on one engine; what is compared comes from the last time.
        preempt: before every third of the first 36 steps, the last sequence that runs is preempted.
        steps: several steps a call wherever the engine does that; of the logits nothing is seen then.
    """

    name: str
    n_threads: int
    together: bool = True
    n_batch_tokens: int = 512
    n_sequences: int = 8
    prefix_cache: bool = False
    repeat: int = 1
    preempt: bool = False
    steps: bool = False

    @property
    def options(self) -> EngineOptions:
        """The engine's."""
        return EngineOptions(
            n_batch_tokens=self.n_batch_tokens, n_sequences=self.n_sequences, prefix_cache=self.prefix_cache
        )


@dataclass
class Found:
    """What a run gave, and what happened in it."""

    words: dict[str, Words] = field(default_factory=dict)
    n_cached: int = 0
    n_preempted: int = 0


def alone(n_threads: int) -> Scenario:
    """One request after the other, each whole and from an empty cache."""
    return Scenario(f"alone-{n_threads}", n_threads, together=False, n_sequences=1)


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        alone(1),
        alone(2),
        alone(3),
        alone(8),
        Scenario("batch", 2),
        Scenario("batch-of-3", 1, n_sequences=3),
        Scenario("chunks-of-13", 3, n_batch_tokens=13),
        Scenario("chunks-of-256", 2, n_batch_tokens=256),
        Scenario("cached", 2, prefix_cache=True, repeat=2),
        Scenario("cached-alone", 1, together=False, prefix_cache=True, repeat=2),
        Scenario("preempted", 2, n_batch_tokens=64, preempt=True),
        Scenario("steps", 2, steps=True),
        Scenario("steps-alone", 1, together=False, prefix_cache=True, repeat=2, steps=True),
    )
}


def load_words() -> dict[str, Model]:
    """The models of words.json by name."""
    models = {}
    for name, model in json.loads(WORDS.read_text("utf-8"))["models"].items():
        expected = {r["name"]: Words(**r.pop("expected")) for r in model["requests"]}
        requests = tuple(Request(**r) for r in model["requests"])
        models[name] = Model(name, model["n_ctx"], requests, model["sha256"], expected)
    return models


@contextmanager
def _recorded() -> Iterator[dict[int, Any]]:
    """Hashes of the logits that tokens are drawn from, by seed; one step a call, which leaves them all."""
    hashes: dict[int, Any] = {}
    sample, n_steps = generation.sample, Stride.n_steps

    def spy(logits: Any, params: Any, generated: Any, seed: int, *rest: Any) -> Any:
        hashes.setdefault(seed, hashlib.sha256()).update(np.ascontiguousarray(logits, "<f4"))
        return sample(logits, params, generated, seed, *rest)

    generation.sample, Stride.n_steps = spy, lambda *_: 1  # type: ignore[method-assign]
    try:
        yield hashes
    finally:
        generation.sample, Stride.n_steps = sample, n_steps  # type: ignore[method-assign]


@contextmanager
def _preempting(scenario: Scenario, found: Found) -> Iterator[None]:
    """Preempts as the scenario asks for, and counts it."""
    schedule, n_steps = Scheduler.schedule, 0

    def preempt_and_schedule(scheduler: Scheduler) -> Any:
        nonlocal n_steps
        n_steps += 1
        if scenario.preempt and scheduler.running and n_steps in range(3, 37, 3):
            scheduler._preempt(scheduler.running[-1])
            found.n_preempted += 1
        return schedule(scheduler)

    Scheduler.schedule = preempt_and_schedule  # type: ignore[method-assign]
    try:
        yield
    finally:
        Scheduler.schedule = schedule  # type: ignore[method-assign]


def run(model: Model, scenario: Scenario, names: Sequence[str] | None = None) -> Found:
    """Run the requests of a model, or those of these names, in one way."""
    found = Found()
    wanted = [r for r in model.requests if names is None or r.name in names]
    random.Random(f"{model.name} {scenario.name}").shuffle(wanted)
    load = {"backend": "cpu", "n_threads": scenario.n_threads, "n_ctx": model.n_ctx}
    with LLM(model.path, **load, options=scenario.options) as llm, _preempting(scenario, found):
        for _ in range(scenario.repeat):
            answers = [r for r in wanted if not r.all_logits]
            for group in [answers] if scenario.together and answers else [[r] for r in answers]:
                _generate(llm, group, found, scenario.steps)
            for request in (r for r in wanted if r.all_logits):
                rows = np.ascontiguousarray(llm.logits(request.prompt_ids(llm)), "<f4")
                found.words[request.name] = Words([], hashlib.sha256(rows).hexdigest())
    return found


def _generate(llm: LLM, group: list[Request], found: Found, steps: bool) -> None:
    with nullcontext({}) if steps else _recorded() as hashes:
        outs = llm.generate([r.prompt_ids(llm) for r in group], [r.sampling() for r in group])
    for request, out in zip(group, outs, strict=True):
        logits = "" if steps else hashes[out.seed].hexdigest()
        found.words[request.name] = Words(out.token_ids, logits)
        found.n_cached += out.usage.cached_tokens


def differences(model: Model, found: Found) -> list[str]:
    """A line for every request that did not give what it must."""
    lines = []
    for name, got in found.words.items():
        want = model.expected[name]
        pairs = zip(got.token_ids, want.token_ids, strict=False)
        place = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if got.token_ids != want.token_ids:
            where = f"token {place}" if place is not None else "the number of tokens"
            lines.append(f"{model.name}, {name}: {where} differs")
        elif got.logits and got.logits != want.logits:
            lines.append(f"{model.name}, {name}: the same tokens, but other bits in the logits")
    return lines
