"""Load a model, measure it, then measure the machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.cost import step_cost
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.peaks import PeakMeter, Peaks
from rushlight.backends.cpu.runtime import TEAM_KERNELS, Team
from rushlight.backends.cpu.target import Target, detect_target
from rushlight.backends.processors import usable_processors
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
        workload = Workload(llm, plan, _counted(plan, progress))
        prefill, decode = workload.prefill(), workload.decode()
        peak_bytes, used = peak_memory(), llm.backend
        cost = step_cost(llm.model) if used == "cpu" else None
        file, kv_bytes = llm.path.name, _kv_bytes(llm, options)
    detection = detect_target()
    threads = n_threads or usable_processors()
    target = detection.target if used == "cpu" else None
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
        peaks=measure_peaks(target, threads, progress) if target else None,
        cost=cost,
    )


def measure_peaks(target: Target, n_threads: int, progress: Progress | None = None) -> Peaks:
    """The limits of this machine on a team of its own."""
    team = Team(n_threads, KernelLibrary(TEAM_KERNELS, target, progress))
    try:
        return PeakMeter(target, team, progress).measure()
    finally:
        team.close()


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
