"""``docs/benchmarks.md`` and the table of the README, from measured rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MARKS = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

HEAD = """# Benchmarks

`make bench` measures this machine and writes this page. Prefill is a prompt of 512 random tokens, decode 128
greedy tokens behind it, in tokens a second (medians of three); the first word is a whole process of
`rushlight run`, with the file in the system's cache: with kernels compiled before, and on a machine that has
never compiled one. Memory is the peak of the process and counts the mapped file. llama.cpp is `llama-bench`
with its defaults, measured in the same run.

"""


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _ratio(row: dict[str, Any], peers: dict[tuple[str, int], dict[str, Any]], what: str) -> str:
    peer = peers.get((row["model"], row["threads"]))
    return f" ({row[what] / peer[what]:.2f}x)" if peer else ""


def table(rows: list[dict[str, Any]]) -> str:
    """Rushlight's rows as a Markdown table; in parentheses the ratio to llama.cpp where it was measured."""
    peers = {(row["model"], row["threads"]): row for row in rows if row["engine"] == "llama.cpp"}
    lines = [
        "| model | threads | prefill tok/s | decode tok/s | first word | on a new machine | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["engine"] == "rushlight":
            cells = [
                row["model"],
                str(row["threads"]),
                _number(row["prefill"], 0) + _ratio(row, peers, "prefill"),
                _number(row["decode"], 0) + _ratio(row, peers, "decode"),
                _number(row["first_word"], 2) + " s",
                _number(row["first_word_new_machine"], 1) + " s",
                _number(row["memory"], 0) + " MiB",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    note = ", in parentheses the ratio to llama.cpp in the same run" if peers else ""
    return "\n".join(lines) + f"\n\nMeasured {rows[0]['date']} on a {rows[0]['processor']}{note}.\n"


def write_report(rows: list[dict[str, Any]]) -> None:
    """Write the page, and the table between its marks in the README."""
    measured = table(rows)
    (ROOT / "docs" / "benchmarks.md").write_text(HEAD + measured, encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    between = re.compile(re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1]), re.DOTALL)
    readme.write_text(between.sub(lambda _: MARKS[0] + measured + MARKS[1], text), encoding="utf-8")
