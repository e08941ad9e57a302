"""Bar charts as SVG, readable on light and on dark pages."""

from __future__ import annotations

from html import escape

from benchmarks.summary import OURS, Summary

BAR, GAP, LEFT, WIDTH, RIGHT = 18, 5, 150, 440, 70
GROUP_HEAD, GROUP_GAP, TITLE = 22, 12, 34
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.group { font-weight: 600 }
.ours { fill: #d9480f } .peer { fill: #868e96 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #ff922b } .peer { fill: #6e7681 } }
</style>"""


def plot(summary: Summary, metric: str) -> str:
    """Tokens a second of each engine with most threads: a group of bars for each model, to its own scale."""
    y = TITLE
    shapes: list[str] = []
    cases = [case for part in ("models", "phi3") for case in summary.cases(part)]
    most = max((case.threads for case in cases), default=0)
    for case in (case for case in cases if case.threads == most):
        values = {engine: summary.median(case, engine, metric) for engine in summary.engines(case.part)}
        bars = {engine: value for engine, value in values.items() if value is not None}
        if not bars:
            continue
        threads = f"{case.threads} thread{'s' if case.threads > 1 else ''}"
        shapes.append(_text(0, y + 14, f"{case.model}, {threads}", "group"))
        y += GROUP_HEAD
        for engine, value in bars.items():
            shapes += _bar(y, engine, value, value / max(bars.values()))
            y += BAR + GAP
        y += GROUP_GAP
    title = _text(0, 16, f"{metric.capitalize()}, tokens a second", "title")
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{y}" viewBox="0 0 {LEFT + WIDTH + RIGHT} {y}"'
    body = "\n".join([STYLE, title, *shapes])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{body}\n</svg>\n'


def _bar(y: int, engine: str, value: float, part: float) -> list[str]:
    kind = "ours" if engine == OURS else "peer"
    length = max(1.0, part * WIDTH)
    written = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return [
        _text(LEFT - 8, y + 13, engine, anchor="end"),
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        _text(LEFT + length + 6, y + 13, written),
    ]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
