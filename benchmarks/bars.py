"""The bars that Rushlight sets itself, each with what was measured and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from benchmarks.summary import OURS, Case, Summary
from benchmarks.workload import SMALL

LLAMA, IK, OPENVINO = "llama.cpp", "ik_llama.cpp", "openvino-genai"
DECODE_SHARE, DECODE_RATIO = 0.90, 1.2
PREFILL_SHARE, PREFILL_LLAMA, PREFILL_IK = 0.65, 2.0, 1.5
SMALL_RATIO, SMALL_COUNT = 1.2, 6
OUTSIDE_US = 60.0
BATCH_RATIO = 4.0
NEW_MACHINE_SECONDS = 15.0
MEMORY_RATIO = 1.10


class Verdict(NamedTuple):
    """A bar: what it is about, what was measured, what is asked for, and "met", "missed" or why neither."""

    what: str
    value: str
    bar: str
    verdict: str


def verdicts(summary: Summary) -> list[Verdict]:
    """Every bar, in the order of the workloads."""
    found: list[Verdict] = []
    for case in summary.cases("phi3"):
        found += [*_decode(summary, case), *_prefill(summary, case)]
    found += [*_small(summary), *_outside(summary), *_depth(summary), *_batch(summary)]
    return [*found, *_start(summary), *_memory(summary)]


def _name(case: Case) -> str:
    depth = f" at depth {case.depth:,}" if case.depth else ""
    return f"{case.model}{depth}, {case.threads} thread{'s' if case.threads > 1 else ''}"


def _at_least(what: str, value: float | None, least: float, share: bool = False) -> Verdict:
    written = "" if value is None else f"{value:.0%}" if share else f"{value:.2f} times"
    bar = f"at least {least:.0%}" if share else "ahead" if least == 1 else f"at least {least:g} times"
    verdict = "not measured" if value is None else "met" if value >= least else "missed"
    return Verdict(what, written, bar, verdict)


def _at_most(what: str, value: float | None, most: float, unit: str) -> Verdict:
    written = "" if value is None else f"{value:.2f}{unit}"
    verdict = "not measured" if value is None else "met" if value <= most else "missed"
    return Verdict(what, written, f"at most {most:.2f}{unit}", verdict)


def _decode(summary: Summary, case: Case) -> Iterator[Verdict]:
    what = f"decode, {_name(case)}"
    yield _at_least(
        f"{what}: of memory bandwidth", _median_share(summary, case, "decode_share"), DECODE_SHARE, True
    )
    best = _best_of(summary, case, "decode", (LLAMA, IK))
    ratio = _at_least(f"{what}: {best}", summary.ratio(case, "decode", (LLAMA, IK)), DECODE_RATIO)
    room = _room(summary, case)
    if ratio.verdict == "missed" and room is not None and room < DECODE_RATIO:
        ratio = ratio._replace(verdict=f"no room: the limit is {room:.2f} times the peer")
    yield ratio


def _best_of(summary: Summary, case: Case, metric: str, peers: tuple[str, ...]) -> str:
    """The peers that were measured, in words."""
    measured = [peer for peer in peers if summary.rounds(case, peer, metric)] or list(peers)
    return measured[0] if len(measured) == 1 else f"best of {', '.join(measured[:-1])} and {measured[-1]}"


def _room(summary: Summary, case: Case) -> float | None:
    """How many times the best peer's decode speed the limit of memory bandwidth is."""
    share, ratio = _median_share(summary, case, "decode_share"), summary.ratio(case, "decode", (LLAMA, IK))
    return ratio / share if share and ratio else None


def _median_share(summary: Summary, case: Case, metric: str) -> float | None:
    return summary.median(case, OURS, metric)


def _prefill(summary: Summary, case: Case) -> Iterator[Verdict]:
    what = f"prefill, {_name(case)}"
    share = _median_share(summary, case, "prefill_share")
    yield _at_least(f"{what}: of the dot product's peak", share, PREFILL_SHARE, True)
    for peer, least in ((LLAMA, PREFILL_LLAMA), (IK, PREFILL_IK), (OPENVINO, 1.0)):
        found = _at_least(f"{what}: {peer}", summary.ratio(case, "prefill", (peer,)), least)
        if (reason := summary.why_not(case, peer)) and found.verdict == "not measured":
            found = found._replace(verdict=f"not measured: {reason}")
        yield found


def _small(summary: Summary) -> Iterator[Verdict]:
    over_ik = []
    for case in summary.cases("models"):
        for metric in ("prefill", "decode"):
            ratio = summary.ratio(case, metric, (LLAMA, IK, OPENVINO))
            best = _best_of(summary, case, metric, (LLAMA, IK, OPENVINO))
            yield _at_least(f"{metric}, {_name(case)}: {best}", ratio, 1.0)
            over_ik.append(summary.ratio(case, metric, (IK,)))
    known = [ratio for ratio in over_ik if ratio is not None]
    if over_ik:
        enough = sum(ratio >= SMALL_RATIO for ratio in known)
        verdict = "not measured" if not known else "met" if enough >= SMALL_COUNT else "missed"
        what = f"small models: numbers of at least {SMALL_RATIO} times {IK}"
        yield Verdict(what, f"{enough} of {len(over_ik)}", f"at least {SMALL_COUNT}", verdict)


def _outside(summary: Summary) -> Iterator[Verdict]:
    for model in SMALL:
        rows = [r["outside_us"] for r in summary.rows if r["part"] == "outside" and r["model"] == model]
        if rows:
            yield _at_most(f"time outside of native calls, a token, {model}", median(rows), OUTSIDE_US, " µs")


def _depth(summary: Summary) -> Iterator[Verdict]:
    for case in summary.cases("depth"):
        for metric in ("decode", "prefill"):
            if summary.median(case, OURS, metric) is not None:
                ratio = summary.ratio(case, metric, (LLAMA,))
                length = " of 8,192" if metric == "prefill" else ""
                yield _at_least(
                    f"{metric}{length}, {_name(case)}: {LLAMA}, flash attention on or off", ratio, 1.0
                )


def _batch(summary: Summary) -> Iterator[Verdict]:
    speeds = {case: summary.median(case, OURS, "decode") for case in summary.cases("batch")}
    one = next((v for c, v in speeds.items() if c.sequences == 1), None)
    for case, speed in speeds.items():
        if case.sequences > 1:
            ratio = speed / one if speed and one else None
            yield _at_least(f"{case.sequences} sequences together, {_name(case)}: one", ratio, BATCH_RATIO)


def _start(summary: Summary) -> Iterator[Verdict]:
    for case in summary.cases("start"):
        seconds = summary.median(case, OURS, "first_word")
        for peer, word in ((LLAMA, "bar"), (IK, "goal")):
            if (theirs := summary.median(case, peer, "first_word")) is not None:
                yield _at_most(f"first word, {case.model}: {peer} ({word})", seconds, theirs, " s")
        first = summary.median(case, f"{OURS}, new machine", "first_word")
        yield _at_most(f"first word on a new machine, {case.model}", first, NEW_MACHINE_SECONDS, " s")


def _memory(summary: Summary) -> Iterator[Verdict]:
    for case in (*summary.cases("models"), *summary.cases("phi3")):
        ratio = summary.median(case, OURS, "memory_ratio")
        bar = _at_most(f"peak memory of file and KV cache, {_name(case)}", ratio, MEMORY_RATIO, " times")
        if (alone := _interpreter_ratio(summary, case)) is not None:
            bar = bar._replace(value=f"{bar.value}, {alone:.2f} of them Python's and NumPy's own")
        yield bar


def _interpreter_ratio(summary: Summary, case: Case) -> float | None:
    """Memory of Python and NumPy alone, over the file and the KV cache; None where one was not measured."""
    peaks = [row["peak_bytes"] for row in summary.rows if row["part"] == "interpreter"]
    sizes = [summary.median(case, OURS, name) for name in ("file_bytes", "kv_bytes")]
    if not peaks or None in sizes:
        return None
    return float(median(peaks) / sum(size for size in sizes if size is not None))
