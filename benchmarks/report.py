"""``docs/benchmarks.md``, its plots and the table of the README, from measured rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.page_text import HEAD, MEMORY, OTHER_TARGET, PEERS, SECTIONS
from benchmarks.plots import plot
from benchmarks.rounds import Row
from benchmarks.summary import Summary
from benchmarks.tables import bars_table, limits_table, readme_table, serve_table, speed_table, start_table

ROOT = Path(__file__).parent.parent
MARKS = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
_TABLES = {"start": start_table, "serve": serve_table}
PLOTS = {"prefill": "benchmarks-prefill.svg", "decode": "benchmarks-decode.svg"}


def page(summary: Summary, others: Sequence[Summary] = ()) -> str:
    """The text of ``docs/benchmarks.md``; the others are of targets that were forced on this machine."""
    plots = [f"![{metric}]({name})" for metric, name in PLOTS.items()] if summary.cases("models") else []
    parts = [HEAD, _where(summary), *plots, limits_table(summary)]
    for part, (title, text) in SECTIONS.items():
        if summary.cases(part):
            parts += [f"## {title}", text]
            parts.append(_TABLES.get(part, speed_table)(summary, part))
            parts += _failures(summary, part)
    for other in others:
        parts += _on_other_target(other)
    parts += ["## The same words", *_greedy(summary), "## The bars", MEMORY, bars_table(summary), PEERS]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _where(summary: Summary) -> str:
    if not summary.rows:
        return "Nothing has been measured yet."
    row = summary.rows[-1]
    engines = dict.fromkeys(r["engine"] for r in summary.rows if r.get("version"))
    versions = ", ".join(f"{name} {summary.version(name)}" for name in engines)
    return (
        f"Measured {row['run'][:10]} on {row['cores']} cores of {row['cpu']} (kernels for {row['target']}), "
        f"{row['system']}, Python {row['python']}, Rushlight {row['rushlight']}."
        + (f" Peers: {versions}." if versions else "")
    )


def _on_other_target(summary: Summary) -> list[str]:
    """The models on a processor that has less."""
    target = summary.rows[0]["target"]
    name = "AVX2" if target == "x86-64-v3" else target
    parts = [f"## With {name}", OTHER_TARGET.format(target), _where(summary)]
    for part in ("models", "phi3"):
        if summary.cases(part):
            parts += [speed_table(summary, part), *_failures(summary, part)]
    return parts


def _failures(summary: Summary, part: str) -> list[str]:
    """A line for each engine that could not do what was asked, with its reason."""
    found = {
        (row["engine"], row["model"], row["error"]): None
        for row in summary.rows
        if row["part"] == part and "error" in row
    }
    lines = [f"- {engine}, {model}: {error}" for engine, model, error in found]
    return ["Not measured:\n\n" + "\n".join(lines)] if lines else []


def _greedy(summary: Summary) -> list[str]:
    lines = []
    for row in summary.rows:
        if row["part"] != "greedy":
            continue
        what = f"- {row['model']} and {row['engine']}: "
        if "error" in row:
            lines.append(what + row["error"])
        elif row["equal"]:
            lines.append(f"{what}all {row['tokens']} greedy tokens are equal.")
        else:
            places = ", ".join("none" if i is None else str(i + 1) for i in row["first_difference"])
            lines.append(f"{what}the first token that differs, for each prompt: {places}.")
    text = "Greedy tokens behind three short prompts, compared before anything is timed. Engines round "
    text += "activations differently, so two tokens that are nearly equally likely may change places."
    return [text, "\n".join(lines)] if lines else ["No peer that tells its tokens was found."]


def write_report(rows: list[Row], others: Sequence[list[Row]]) -> None:
    """Write the page, its plots, and the table between its marks in the README."""
    summary = Summary(rows)
    docs = ROOT / "docs"
    (docs / "benchmarks.md").write_text(page(summary, [Summary(o) for o in others]), encoding="utf-8")
    for metric, name in PLOTS.items():
        (docs / name).write_text(plot(summary, metric), encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    between = re.compile(re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1]), re.DOTALL)
    short = readme_table(summary) + "\n" + _short_note(summary)
    readme.write_text(between.sub(lambda _: MARKS[0] + short + MARKS[1], text), encoding="utf-8")


def _short_note(summary: Summary) -> str:
    if not summary.rows:
        return ""
    row = summary.rows[-1]
    peers = "llama.cpp" in summary.engines("models")
    note = ", in parentheses the ratio to llama.cpp in the same run" if peers else ""
    return f"Measured {row['run'][:10]} on {row['cores']} cores of {row['cpu']} ({row['target']}){note}.\n"
