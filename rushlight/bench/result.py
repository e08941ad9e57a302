"""What was measured, and what it is of the machine's limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rushlight.backends.cpu.cost import StepCost
from rushlight.backends.cpu.peaks import Peaks
from rushlight.bench.plan import BenchPlan


@dataclass(frozen=True)
class BenchResult:
    """One model on one number of threads.

    Attributes:
        model: the reference that was asked for.
        file: name of its file.
        file_bytes: size of its file (of all parts).
        backend: what computed.
        target: kernel target; None on the reference backend, as is `cost`.
        processor: LLVM's name of it.
        threads: that computed.
        plan: the workloads.
        prefill: tokens a second of each repetition; empty where left out.
        decode: tokens a second of each repetition, over all sequences together.
        load_seconds: from the reference to the loaded model.
        peak_bytes: most memory that the process had, mapped parts of the file included; None where the system
            does not tell.
        kv_bytes: size of the KV cache.
        prefill_peaks: the machine's limits around each repetition of prefill; empty where they are not known.
        decode_peaks: the same of decode.
        cost: the work of a step.
    """

    model: str
    file: str
    file_bytes: int
    backend: str
    target: str | None
    processor: str
    threads: int
    plan: BenchPlan
    prefill: tuple[float, ...]
    decode: tuple[float, ...]
    load_seconds: float
    peak_bytes: int | None
    kv_bytes: int
    prefill_peaks: tuple[Peaks, ...]
    decode_peaks: tuple[Peaks, ...]
    cost: StepCost | None

    @property
    def peaks(self) -> Peaks | None:
        """The machine's limits over all of the time."""
        measured = (*self.prefill_peaks, *self.decode_peaks)
        return Peaks.mean(measured) if measured else None

    @property
    def prefill_share(self) -> float | None:
        """Matrix work of prefill as a part of what the dot product could do in that time: the median."""
        if not self.prefill or not self.prefill_peaks or self.cost is None:
            return None
        macs = self.cost.macs(self.plan.n_prompt, 1) / self.plan.n_prompt
        shares = zip(self.prefill, self.prefill_peaks, strict=True)
        return median(macs * tokens / peaks.dot_macs for tokens, peaks in shares)

    @property
    def decode_share(self) -> float | None:
        """Weights streamed by decode as a part of what can be read in that time: the median."""
        if not self.decode or not self.decode_peaks or self.cost is None:
            return None
        step_bytes = self.cost.weight_bytes / self.plan.n_sequences
        shares = zip(self.decode, self.decode_peaks, strict=True)
        return median(step_bytes * tokens / peaks.read_bytes for tokens, peaks in shares)

    @property
    def memory_ratio(self) -> float | None:
        """Peak memory over the size of the file and the KV cache."""
        return None if self.peak_bytes is None else self.peak_bytes / (self.file_bytes + self.kv_bytes)

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON, with medians and shares."""
        return {
            **asdict(self),
            "peaks": None if self.peaks is None else asdict(self.peaks),
            "prefill_median": median(self.prefill) if self.prefill else None,
            "decode_median": median(self.decode) if self.decode else None,
            "prefill_share": self.prefill_share,
            "decode_share": self.decode_share,
            "memory_ratio": self.memory_ratio,
        }
