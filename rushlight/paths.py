"""Where Rushlight keeps things on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Where what can be made again is kept: ``RUSHLIGHT_HOME``, or the platform's cache."""
    if home := os.environ.get("RUSHLIGHT_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "rushlight"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "rushlight"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rushlight"


def data_dir() -> Path:
    """Where what cannot be made again is kept: ``RUSHLIGHT_HOME``, or the platform's place for data."""
    if home := os.environ.get("RUSHLIGHT_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        return cache_dir()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "rushlight"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "rushlight"
