"""What a step of a model costs at least: the matrix weights it reads and the products it adds.

The model's `forward` runs once on ops that only count.
"""

from __future__ import annotations

from dataclasses import dataclass

from rushlight.backends.base import Model
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.op_counter import OpCounter
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS
from rushlight.backends.cpu.weights import ExpertMatrices, PackedPart


@dataclass(frozen=True)
class StepCost:
    """The work of a step.

    Attributes:
        weight_bytes: packed bytes of all matrices, each once however many tokens the step has; of experts
            those that one token uses.
        token_macs: multiply-accumulates in matrices for each token.
        output_macs: those for each output token on top: what comes behind `Ops.outputs`.
    """

    weight_bytes: int
    token_macs: int
    output_macs: int

    def macs(self, n_tokens: int, n_outputs: int) -> int:
        """Multiply-accumulates of a step."""
        return n_tokens * self.token_macs + n_outputs * self.output_macs


def step_cost(model: Model) -> StepCost:
    """The work of a step of a model whose weights the cpu backend holds.

    Attention, recurrences, norms and the rows of the embedding table that are read do not count.
    """
    counter = OpCounter(model.cache)
    model.forward(counter)
    weight_bytes = sum(_packed_bytes(part) for matrix in counter.matrices.values() for part in matrix.parts)
    weight_bytes += sum(n_used * _packed_bytes(weight) for weight, n_used in counter.experts_used)
    return StepCost(weight_bytes, counter.macs[TOKENS], counter.macs[OUTPUTS])


def _packed_bytes(part: PackedPart | ExpertMatrices) -> int:
    """Of a matrix, or of one expert's."""
    return part.n_groups * part.n_blocks * LAYOUTS[part.type.name.lower()].group_bytes
