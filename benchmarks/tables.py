"""Markdown tables of a run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bars import IK, LLAMA, verdicts
from benchmarks.summary import OURS, Case, Summary


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def speed_table(summary: Summary, part: str) -> str:
    """Tokens a second of every engine; behind a peer's, how many times that Rushlight is."""
    engines = [engine for engine in summary.engines(part) if engine != OURS]
    rows = []
    for case in summary.cases(part):
        for metric, share in (("prefill", "prefill_share"), ("decode", "decode_share")):
            ours = summary.median(case, OURS, metric)
            if ours is None:
                continue
            part_of = summary.median(case, OURS, share)
            cells = [_peer(summary, case, engine, metric) for engine in engines]
            limit = "" if part_of is None else f"{part_of:.0%}"
            rows.append([_model(case), str(case.threads), metric, f"**{_speed(ours)}**", limit, *cells])
    return table(["model", "threads", "", OURS, "of the limit", *engines], rows)


def _model(case: Case) -> str:
    depth = f" at depth {case.depth:,}" if case.depth else ""
    return case.model + depth + (f", {case.sequences} sequences" if case.sequences > 1 else "")


def _speed(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _peer(summary: Summary, case: Case, engine: str, metric: str) -> str:
    value, ratio = summary.median(case, engine, metric), summary.ratio(case, metric, (engine,))
    if value is None or ratio is None:
        return "cannot" if summary.why_not(case, engine) else ""
    return f"{_speed(value)} ({ratio:.2f}x)"


def start_table(summary: Summary, part: str) -> str:
    """Seconds to the first word, and peak memory."""
    names = (OURS, f"{OURS}, new machine", LLAMA, IK)
    engines = [name for name in names if name in summary.engines(part)]
    rows = []
    for case in summary.cases(part):
        cells = []
        for engine in engines:
            seconds, peak = (summary.median(case, engine, m) for m in ("first_word", "peak_bytes"))
            cells.append(
                "" if seconds is None else f"{seconds:.2f} s" + (f", {peak / 2**20:,.0f} MiB" if peak else "")
            )
        rows.append([case.model, str(case.threads), *cells])
    return table(["model", "threads", *engines], rows)


def serve_table(summary: Summary, part: str) -> str:
    """Throughput, and the percentiles of latencies in milliseconds."""
    percentiles = ("p50", "p90", "p99")
    rows = []
    for case in summary.cases(part):
        for engine in summary.engines(part):
            answers = summary.median(case, engine, "answers")
            ratio = None if engine == OURS else summary.ratio(case, "answers", (engine,))
            speed = "cannot" if answers is None else _speed(answers) + (f" ({ratio:.2f}x)" if ratio else "")
            times = [
                " / ".join(_milliseconds(summary.median(case, engine, f"{name}_{p}")) for p in percentiles)
                for name in ("first_token", "per_token")
            ]
            rows.append([str(case.sequences), engine, speed, *times])
    told = ", ".join(percentiles)
    head = ["clients", "", "answers tok/s", f"first token ms ({told})", f"each further token ms ({told})"]
    return table(head, rows)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:,.0f}" if seconds >= 0.1 else f"{1000 * seconds:.1f}"


def limits_table(summary: Summary) -> str:
    """The machine's limits: the median over all measurements with as many threads."""
    rows = []
    for threads in sorted({row["threads"] for row in summary.rows if row.get("peaks")}):
        peaks = [r["peaks"] for r in summary.rows if r.get("peaks") and r["threads"] == threads]
        middle = {name: sorted(p[name] for p in peaks)[len(peaks) // 2] for name in peaks[0]}
        rows.append(
            [
                str(threads),
                f"{middle['read_bytes'] / 1e9:.1f} GB/s",
                f"{middle['dot_macs'] / 1e9:,.0f} GMAC/s",
                f"{middle['fma_flops'] / 1e9:,.0f} GFLOP/s",
            ]
        )
    return table(["threads", "memory read", "8-bit dot product", "float32"], rows) if rows else ""


def bars_table(summary: Summary) -> str:
    """Every bar and whether it is met."""
    marks = {"met": "met", "missed": "**missed**"}
    found = verdicts(summary)
    rows = [[v.what, v.value, v.bar, marks.get(v.verdict, v.verdict)] for v in found]
    n_met = sum(v.verdict == "met" for v in found)
    n_missed = sum(v.verdict == "missed" for v in found)
    counted = f"{n_met} met, {n_missed} missed, {len(found) - n_met - n_missed} neither.\n\n"
    return counted + table(["what", "measured", "bar", ""], rows)


def readme_table(summary: Summary) -> str:
    """The small models in short, each number with its ratio to llama.cpp's."""
    starts = {case.model: case for case in summary.cases("start")}
    rows = []
    for case in summary.cases("models"):
        cells = [case.model, str(case.threads)]
        for metric in ("prefill", "decode"):
            value, ratio = summary.median(case, OURS, metric), summary.ratio(case, metric, (LLAMA,))
            times = f" ({ratio:.2f}x)" if ratio else ""
            cells.append("" if value is None else f"{value:,.0f}{times}")
        start = starts.get(case.model)
        for engine in (OURS, f"{OURS}, new machine"):
            seconds = summary.median(start, engine, "first_word") if start else None
            cells.append("" if seconds is None else f"{seconds:.2f} s")
        rows.append(cells)
    head = ["model", "threads", "prefill tok/s", "decode tok/s", "first word", "on a new machine"]
    return table(head, rows)
