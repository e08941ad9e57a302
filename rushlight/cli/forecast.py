"""What running a model will take on this machine, found out before it is loaded."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from rushlight.cli.machine import Machine
from rushlight.engine.kv_blocks import most_blocks
from rushlight.engine.limits import STATES_PER_SEQUENCE, limits_for
from rushlight.errors import RushlightError
from rushlight.gguf import GGUFFile
from rushlight.loading import context_for
from rushlight.models import load_model
from rushlight.models.purpose import purpose_of
from rushlight.params import EngineOptions
from rushlight.progress import format_bytes

KV_DTYPE = "f16"


class LayerCache(NamedTuple):
    """What a layer keeps of one sequence that fills the context.

    Attributes:
        kind: ``"attention"``, ``"attention both ways"`` or ``"recurrent"``.
        window: positions that stay visible, 0 for all of them.
        n_bytes: of memory.
    """

    kind: str
    window: int
    n_bytes: int


class Memory(NamedTuple):
    """Bytes of memory that a model takes with a context.

    Attributes:
        n_ctx: the context.
        weights: matrices in the layout of the kernels, and vectors.
        cache: of each layer, for one sequence that fills the context.
        cache_most: what the caches may grow to, as more sequences run or are kept.
        working: what a step needs besides.
    """

    n_ctx: int
    weights: int
    cache: tuple[LayerCache, ...]
    cache_most: int
    working: int

    @property
    def total(self) -> int:
        """All of it, with one sequence."""
        return self.weights + sum(layer.n_bytes for layer in self.cache) + self.working

    def as_dict(self, machine: Machine) -> dict[str, Any]:
        """As ``rushlight inspect --json`` writes it."""
        return {
            "n_ctx": self.n_ctx,
            "weights": self.weights,
            "cache": sum(layer.n_bytes for layer in self.cache),
            "cache_most": self.cache_most,
            "layers": [layer._asdict() for layer in self.cache],
            "working": self.working,
            "total": self.total,
            "machine": machine.memory,
        }

    def rows(self, machine: Machine) -> list[tuple[str, str, str]]:
        """Name, size and a remark of each part."""
        cache = sum(layer.n_bytes for layer in self.cache)
        have = "unknown" if machine.memory is None else format_bytes(machine.memory)
        layers = [
            (f"  {n} layers", format_bytes(n * layer.n_bytes), f"{layer.kind}, {_reach(layer)}")
            for layer, n in Counter(self.cache).items()
        ]
        return [
            ("weights", format_bytes(self.weights), "as kernels read them; embeddings stay in the file"),
            ("cache", format_bytes(cache), f"in {KV_DTYPE}, of one sequence of {self.n_ctx:,} tokens"),
            *layers,
            ("working", format_bytes(self.working), "activations, scratch memory and position tables"),
            ("total", format_bytes(self.total), f"of {have} on this machine"),
            (
                "cache at most",
                format_bytes(self.cache_most),
                "when more sequences run, or are kept for reuse",
            ),
        ]


class Forecast(NamedTuple):
    """What will happen to a file.

    Attributes:
        runs_on: by tensor name, what reads it and how large it becomes.
        purpose: what the model makes, None if it does not load.
        pooling: how it makes embeddings, None if it writes text or does not load.
        memory: None if the model does not load.
        error: why it does not load.
    """

    runs_on: dict[str, tuple[str, int]]
    purpose: str | None = None
    pooling: str | None = None
    memory: Memory | None = None
    error: str | None = None


def forecast(file: GGUFFile, machine: Machine, n_ctx: int | None) -> Forecast:
    """Load the model of a file in every way but its weights.

    Args:
        file: it stays open.
        machine: this one.
        n_ctx: the context; None: as `LLM` chooses it.

    Raises:
        InvalidParameter: a context outside its range.
    """
    try:
        from rushlight.backends.cpu.planner import Planner
    except ImportError as error:
        return Forecast({}, error=f"The cpu backend cannot be imported here ({error}).")
    planner = Planner(machine.cores)
    n_ctx = context_for(file, n_ctx)
    try:
        model = load_model(file, planner, n_ctx)
        limits = limits_for(model.cache, model.n_ctx, KV_DTYPE, EngineOptions())
        needs = planner.needs(model, limits)
    except RushlightError as error:
        return Forecast(_runs_on(planner), error=str(error))
    attention = "attention" if model.cache.is_causal else "attention both ways"
    cache = []
    of_layers = list(zip(model.cache.group_of_layer, needs.cache_blocks, strict=True))
    for g, block_bytes in of_layers:
        group = model.cache.groups[g]
        n_blocks = most_blocks(model.n_ctx, group.window, limits.n_tokens)
        if group.recurrent:
            n_blocks = STATES_PER_SEQUENCE
        kind = "recurrent" if group.recurrent else attention
        cache.append(LayerCache(kind, group.window, n_blocks * block_bytes))
    most = sum(limits.n_blocks[g] * block_bytes for g, block_bytes in of_layers)
    memory = Memory(model.n_ctx, needs.weights, tuple(cache), most, needs.working)
    config = model.config
    pooling = None if config.writes else config.pooling.name.lower()
    return Forecast(_runs_on(planner), purpose_of(config), pooling, memory)


def _runs_on(planner: Any) -> dict[str, tuple[str, int]]:
    return {
        name: (" and ".join(use.runs_as for use in uses), sum(use.n_bytes for use in uses))
        for name, uses in planner.uses.items()
    }


def _reach(layer: LayerCache) -> str:
    if layer.kind == "recurrent":
        return "a state"
    if layer.window and layer.kind != "attention":
        return f"{layer.window - 1:,} tokens to each side"
    return f"the last {layer.window:,} tokens" if layer.window else "all tokens"
