"""``rushlight inspect``: what a GGUF file holds, what it will take to run it here, and what looks wrong."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rushlight.cli.machine import Machine, this_machine
from rushlight.cli.output import write
from rushlight.cli.parser import Parser
from rushlight.hub import resolve
from rushlight.progress import format_bytes

if TYPE_CHECKING:
    from rushlight.cli.file_checks import Finding
    from rushlight.cli.forecast import Forecast
    from rushlight.gguf import GGUFFile, GGUFTensor

_SHOWN = 6  # elements of an array
_LONGEST = 120  # characters of a string


class _Report(NamedTuple):
    """An open file and what was found out about it."""

    file: GGUFFile
    machine: Machine
    forecast: Forecast
    findings: list[Finding]

    def runs_on(self, tensor: GGUFTensor) -> str:
        """What reads a tensor when the model runs."""
        if self.machine.backend == "reference":
            return "reference"
        found = self.forecast.runs_on.get(tensor.name)
        if found is not None:
            return f"cpu {found[0]}"
        return "nothing" if self.forecast.memory is not None else "unknown"


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight inspect``."""
    parser.add_argument("reference", metavar="REF", help="a .gguf file, org/repo, pypi:name or an alias")
    parser.add_argument(
        "-c",
        "--ctx",
        type=int,
        metavar="N",
        help="tokens of context to plan for (default: as many as the model was trained for, up to 8192)",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object, arrays in full")


def execute(parser: Parser, args: Namespace) -> int:
    """Write what the file holds to standard output; exit code 1 if running it would fail."""
    from rushlight.cli.file_checks import ERROR
    from rushlight.gguf import open_gguf

    with open_gguf(resolve(args.reference, progress=True).path) as file:
        report = _report(file, args.ctx)
        if args.json:
            write(json.dumps(_as_dict(report), ensure_ascii=False) + "\n")
        else:
            write(_overview(report) + _metadata(file) + _tensors(report) + _memory(report) + _checks(report))
    return int(any(finding.level == ERROR for finding in report.findings))


def _report(file: GGUFFile, n_ctx: int | None) -> _Report:
    from rushlight.cli.file_checks import ERROR, WARNING, Finding, check_text
    from rushlight.cli.forecast import forecast

    machine = this_machine()
    found = forecast(file, machine, n_ctx)
    findings = [] if found.error is None else [Finding(ERROR, found.error)]
    findings += check_text(file, writes=found.pooling is None)
    memory = found.memory
    if memory is not None and machine.memory is not None and memory.total > machine.memory:
        findings.append(
            Finding(WARNING, "The model does not fit this machine's memory; it may fail or swap.")
        )
    return _Report(file, machine, found, findings)


def _as_dict(report: _Report) -> dict[str, Any]:
    from rushlight.models import supported_architectures

    file, machine, memory = report.file, report.machine, report.forecast.memory
    architecture = file.metadata.get("general.architecture")
    return {
        "paths": [str(path) for path in file.paths],
        "version": file.version,
        "size": file.n_bytes,
        "architecture": _plain(architecture),
        "supported": architecture in supported_architectures(),
        "pooling": report.forecast.pooling,
        "backend": machine.backend,
        "kernel_target": machine.target,
        "metadata": {key: _plain(value) for key, value in file.metadata.items()},
        "tensors": [
            {
                "name": t.name,
                "shape": list(t.shape),
                "type": t.type.name,
                "size": t.n_bytes,
                "runs_on": report.runs_on(t),
                "memory": report.forecast.runs_on.get(t.name, ("", None))[1],
            }
            for t in file.tensors.values()
        ],
        "memory": None if memory is None else memory.as_dict(machine),
        "findings": [{"level": level, "message": _plain(message)} for level, message in report.findings],
    }


def _overview(report: _Report) -> str:
    from rushlight.gguf.summary import summarize
    from rushlight.models import supported_architectures

    file, machine = report.file, report.machine
    summary = summarize(file)
    # The checks below list those that are.
    verdict = "supported" if summary.architecture in supported_architectures() else "not supported"
    rows = [
        ("file", f"{file.path}{f' and {len(file.paths) - 1} more' if len(file.paths) > 1 else ''}"),
        ("format", f"GGUF version {file.version}, {format_bytes(file.n_bytes)}"),
        ("name", _one_line(summary.name or "unnamed")),
        ("architecture", f"{_one_line(summary.architecture or 'none')} ({verdict})"),
        ("quantized as", summary.file_type or "unknown"),
        ("parameters", f"{summary.n_params:,}"),
        ("vocabulary", "none" if summary.n_vocab is None else f"{summary.n_vocab:,} tokens"),
        ("context", "unknown" if summary.context_length is None else f"{summary.context_length:,} tokens"),
        ("makes", report.forecast.purpose or "unknown, the model does not load"),
        ("runs on", f"{machine.backend} backend, kernel target {machine.target}, {machine.cores} cores"),
    ]
    types = [
        (name, f"{t.n_tensors} tensors", f"{t.n_elements:,} values", format_bytes(t.n_bytes))
        for name, t in summary.types.items()
    ]
    return "".join(f"{name:<13} {value}\n" for name, value in rows) + "\ntypes\n" + _columns(types)


def _metadata(file: GGUFFile) -> str:
    return "\nmetadata\n" + _columns(
        [(_one_line(key), _brief(value)) for key, value in file.metadata.items()]
    )


def _tensors(report: _Report) -> str:
    rows = [
        (
            _one_line(t.name),
            t.type.name,
            "x".join(map(str, t.shape)),
            format_bytes(t.n_bytes),
            report.runs_on(t),
        )
        for t in report.file.tensors.values()
    ]
    return "\ntensors\n" + _columns(rows)


def _memory(report: _Report) -> str:
    memory = report.forecast.memory
    rows = [("unknown, the model does not load",)] if memory is None else memory.rows(report.machine)
    return "\nmemory\n" + _columns(rows)


def _checks(report: _Report) -> str:
    rows = [(level, _one_line(message)) for level, message in report.findings]
    return "\nchecks\n" + _columns(rows or [("nothing looks wrong",)])


def _plain(value: Any) -> Any:
    """A metadata value as JSON has it: arrays become lists, and broken UTF-8 replacement characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, int | float | bool) else [_plain(element) for element in value]


def _brief(value: Any) -> str:
    """A metadata value on one line; of long arrays and texts the beginning."""
    if isinstance(value, str):
        more = f"... ({len(value):,} characters)" if len(value) > _LONGEST else ""
        return _one_line(value[:_LONGEST]) + more
    if isinstance(value, int | float | bool):
        return json.dumps(value)
    shown = ", ".join(json.dumps(_plain(element), ensure_ascii=False) for element in value[:_SHOWN])
    more = f", ... ({len(value):,} elements)" if len(value) > _SHOWN else ""
    return f"[{shown}{more}]"


def _one_line(text: str) -> str:
    """Escape line ends and control characters: a file must not write to the terminal as it likes."""
    return json.dumps(_plain(text), ensure_ascii=False)[1:-1].replace('\\"', '"').replace("\x7f", "\\u007f")


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return "  none\n"
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"  {line}\n" for line in lines)
