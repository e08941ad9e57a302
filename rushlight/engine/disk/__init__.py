"""The prefix cache on disk: blocks of prompts that outlive the process, one file each."""

from __future__ import annotations

from rushlight.engine.disk.cache import DiskCache

__all__ = ["DiskCache"]
