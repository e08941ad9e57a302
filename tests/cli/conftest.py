"""The fake model in place of the real one."""

from __future__ import annotations

import sys
import types

import pytest
from fake_llm import Script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Put the fake model where commands look for the real one."""
    script = Script()
    module = types.ModuleType("rushlight.llm")
    module.LLM = script.model()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rushlight.llm", module)
    return script
