"""``rushlight doctor``: what this machine runs, and why."""

from __future__ import annotations

import json
import platform
import sys
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from rushlight import __version__
from rushlight.cli.machine import this_machine
from rushlight.cli.output import write
from rushlight.cli.parser import Parser
from rushlight.hub import list_models
from rushlight.hub.hub_cache import hub_cache_dir
from rushlight.paths import cache_dir
from rushlight.progress import format_bytes

_PACKAGES = ("numpy", "numba", "llvmlite", "tokenizers", "jinja2", "huggingface_hub", "prompt_toolkit", "pip")


def add_arguments(parser: Parser) -> None:
    """Add the arguments of ``rushlight doctor``."""
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def execute(parser: Parser, args: Namespace) -> int:
    """Write the findings to standard output."""
    findings = _findings()
    if args.json:
        write(json.dumps(findings, ensure_ascii=False, indent=1) + "\n")
        return 0
    width = max(len(name) for name in findings)
    for name, value in findings.items():
        write(f"{name.replace('_', ' '):<{width}}  {_words(value)}\n")
    return 0


def _findings() -> dict[str, Any]:
    machine = this_machine()
    models = list_models()
    return {
        "rushlight": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "processor": machine.processor,
        "features": list(machine.features),
        "cores": machine.cores,
        "memory": "unknown" if machine.memory is None else format_bytes(machine.memory),
        "kernel_target": f"{machine.target}: {machine.reason}",
        "backends": {
            "cpu": "yes" if machine.backend == "cpu" else "no, see kernel target",
            "reference": "yes, always; slow",
        },
        "auto_backend": machine.backend,
        "kernels": _kernels(machine.target),
        "models": f"{len(models)}, {format_bytes(sum(model.size for model in models))}; see 'rushlight list'",
        "own_cache": str(cache_dir()),
        "hub_cache": str(hub_cache_dir()),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _kernels(target: str) -> str:
    """Where the kernels of this machine's target come from, in the order in which they are looked for."""
    from rushlight.backends.cpu.inventory import find_kernels
    from rushlight.backends.cpu.object_formats import host_format

    found = [k for k in find_kernels() if (k.target, k.format, k.current) == (target, host_format(), True)]
    cached = sum(k.n_kernels for k in found if k.place == "cache")
    shipped = sum(k.n_kernels for k in found if k.place == "shipped")
    return (
        f"{cached} in the cache, {shipped} shipped, others compiled when needed; see 'rushlight kernels list'"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "present" if find_spec(package) is not None else "missing"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {entry}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(value) or "none that kernels need"
    return str(value)
