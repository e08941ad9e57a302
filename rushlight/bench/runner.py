"""Load a model, and measure it and the machine by turns."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.cost import step_cost
from rushlight.backends.cpu.peaks import Peaks
from rushlight.backends.cpu.target import detect_target
from rushlight.backends.processors import usable_processors
from rushlight.bench.limits import Limits, measuring_limits
from rushlight.bench.plan import BenchPlan
from rushlight.bench.result import BenchResult
from rushlight.bench.speeds import Workload
from rushlight.engine.kv_blocks import blocks_for
from rushlight.engine.limits import KV_ITEMSIZE, limits_for
from rushlight.hub import resolve
from rushlight.llm import LLM
from rushlight.params import EngineOptions
from rushlight.progress import Progress

KV_DTYPE = "f16"


def run_bench(
    model: str,
    plan: BenchPlan,
    *,
    backend: str = "auto",
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Measure a model and the limits of this machine on the same number of threads.

    Args:
        model: a reference.
        plan: the workloads.
        backend: "auto", "cpu" or "reference"; the reference backend has no limits to compare with.
        n_threads: to compute with; None: one for each core.
        progress: called as `LLM` calls it, and behind every measurement.

    Raises:
        RushlightError: what `LLM` raises.
    """
    options = EngineOptions(
        n_batch_tokens=max(EngineOptions().n_batch_tokens, plan.n_sequences),
        n_sequences=plan.n_sequences,
        # Whole blocks for each sequence: with less, some would wait for the others' blocks.
        kv_tokens=blocks_for(plan.n_ctx) * BLOCK_TOKENS * plan.n_sequences,
        prefix_cache=plan.depth > 0,
    )
    size = resolve(model, progress=progress or False).size
    start = time.perf_counter()
    with LLM(
        model, backend=backend, n_threads=n_threads, n_ctx=plan.n_ctx, progress=progress, options=options
    ) as llm:
        load_seconds = time.perf_counter() - start
        used = llm.backend
        threads = n_threads or usable_processors()
        detection = detect_target()
        target = detection.target if used == "cpu" else None
        workload = Workload(llm, plan, _counted(plan, progress))
        measures = (workload.prefill if plan.n_prompt else None, workload.decode if plan.n_decode else None)
        first = [measure and measure() for measure in measures]
        peak_bytes = peak_memory()  # The memory whose reading is measured is none of the model's.
        with measuring_limits(target, threads, progress) as limits:
            (prefill, prefill_peaks), (decode, decode_peaks) = (
                _repeated(measure, plan, rate, limits) for measure, rate in zip(measures, first, strict=True)
            )
        cost = step_cost(llm.model) if used == "cpu" else None
        file, kv_bytes = llm.path.name, _kv_bytes(llm, options)
    return BenchResult(
        model=model,
        file=file,
        file_bytes=size,
        backend=used,
        target=target.name if target else None,
        processor=detection.processor,
        threads=threads,
        plan=plan,
        prefill=prefill,
        decode=decode,
        load_seconds=load_seconds,
        peak_bytes=peak_bytes,
        kv_bytes=kv_bytes,
        prefill_peaks=prefill_peaks,
        decode_peaks=decode_peaks,
        cost=cost,
    )


def _repeated(
    measure: Callable[[], float] | None, plan: BenchPlan, first: float | None, limits: Limits
) -> tuple[tuple[float, ...], tuple[Peaks, ...]]:
    """Tokens a second of each repetition, and the machine's limits right before and behind it.

    The bandwidth of a shared machine may change at any moment: only what was measured beside it is a limit.
    """
    if measure is None or first is None:
        return (), ()
    rates = [] if plan.warmup else [first]
    before = limits()
    around = [] if plan.warmup else [before]
    while len(rates) < plan.repetitions:
        rates.append(measure())
        behind = limits()
        around.append(behind if before is None or behind is None else Peaks.mean((before, behind)))
        before = behind
    return tuple(rates), tuple(peaks for peaks in around if peaks is not None)


def peak_memory() -> int | None:
    """Most bytes of memory that this process had so far; None where the system does not tell."""
    try:  # Linux. What getrusage tells there begins with what the parent had when it forked.
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _kv_bytes(llm: LLM, options: EngineOptions) -> int:
    cache = llm.model.cache
    limits = limits_for(cache, llm.n_ctx, KV_DTYPE, options)
    return sum(cache.block_bytes(g, KV_ITEMSIZE[KV_DTYPE]) * n for g, n in enumerate(limits.n_blocks))


def _counted(plan: BenchPlan, progress: Progress | None) -> Callable[[], None]:
    """What to call behind each measurement."""
    total = (plan.repetitions + plan.warmup) * (bool(plan.n_prompt) + bool(plan.n_decode))
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress:
            progress("Measuring", done, total)

    return count
