"""A model's program before it has memory: recorded, fused, and with the results that outlive it."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Model
from rushlight.backends.cpu.fusion import fuse
from rushlight.backends.cpu.op_recorder import as_value
from rushlight.backends.cpu.recorder import Recorder
from rushlight.backends.cpu.recording import Buffer, Recording, Value


class Recorded(NamedTuple):
    """What a model does in a step.

    Attributes:
        recording: its ops.
        logits: [R, V], read after the last op.
        argmax: an `ARGMAX_RESULT` for each row of them, likewise.
    """

    recording: Recording
    logits: Value
    argmax: Buffer


def record(model: Model, kv_dtype: str) -> Recorded:
    """Run a model's `forward` once and note what it asks for.

    Raises:
        UnsupportedModel: it has a layer for which there are no kernels.
    """
    recorder = Recorder(model.cache, kv_dtype)
    logits = as_value(model.forward(recorder))
    argmax = recorder.argmax(logits)
    recording = recorder.recording
    logits.buffer.last = argmax.last = len(recording.ops)
    fuse(recording)
    return Recorded(recording, logits, argmax)
