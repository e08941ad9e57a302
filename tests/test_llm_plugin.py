"""The plug-in of the ``llm`` tool: what it tells the tool, and what it makes of the tool's prompts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rushlight import LLM, SamplingParams

llm = pytest.importorskip("llm")
plugin = pytest.importorskip("rushlight.llm_plugin")
TINY = Path(__file__).parent / "data" / "tiny" / "llama-mix.gguf"


@pytest.fixture(scope="module")
def tiny() -> Iterator[Any]:
    model = plugin.RushlightModel(str(TINY))
    yield model
    model._llm.close()


def test_the_tool_finds_the_plug_in_and_its_models() -> None:
    found = [entry for entry in entry_points(group="llm") if entry.name == "rushlight"]
    assert [entry.load() for entry in found] == [plugin]
    models: list[Any] = []
    plugin.register_models(models.append)
    names = [model.model_id for model in models]
    assert "rushlight/phi3" in names and len(set(names)) == len(names)


def test_finding_the_models_imports_nothing_heavy() -> None:
    code = "import rushlight.llm_plugin as p, sys; p.register_models(lambda m: 0); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numba", "llvmlite", "jinja2", "huggingface_hub"} & set(run.stdout.split())


def test_an_answer_is_that_of_the_library(tiny: Any) -> None:
    response = tiny.prompt("Hi", system="Be brief", max_tokens=9, temperature=0.8, seed=5, top_k=20)
    text = response.text()
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]
    with LLM(TINY) as model:
        params = SamplingParams(max_tokens=9, temperature=0.8, seed=5, top_k=20)
        expected = model.chat(messages, params)
        assert text == expected.text
        usage = (response.input_tokens, response.output_tokens)
        assert usage == (expected.usage.prompt_tokens, expected.usage.completion_tokens)
        conversation = tiny.conversation()
        conversation.prompt("Hi", max_tokens=9, temperature=0).text()
        again = conversation.prompt("More", max_tokens=9, temperature=0).text()
        params = SamplingParams(max_tokens=9, temperature=0)
        first = model.chat([{"role": "user", "content": "Hi"}], params).text
        said = [("user", "Hi"), ("assistant", first), ("user", "More")]
        assert again == model.chat([{"role": r, "content": c} for r, c in said], params).text


def test_what_is_wrong_is_an_error_of_the_tool(tiny: Any) -> None:
    with pytest.raises(llm.ModelError, match="top_p is 3; it must be"):
        tiny.prompt("Hi", top_p=3).text()
    with pytest.raises(llm.ModelError, match="There is no file"):
        plugin.RushlightModel("nowhere.gguf").prompt("Hi").text()
    attachment = llm.parts.AttachmentPart(attachment=None)
    with pytest.raises(llm.ModelError, match="AttachmentPart; models here read text only"):
        list(plugin.messages_of(llm.parts.Message(role="user", parts=[attachment])))
    with pytest.raises(llm.ModelError, match="call functions only"):
        plugin.function_of(object())


def test_a_schema_constrains_the_answer(tiny: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
    schema["additionalProperties"] = False
    answers = {json.loads(tiny.prompt("Hi", schema=schema, seed=i).text())["a"] for i in range(3)}
    assert answers <= {"x", "y"}
    with pytest.raises(llm.ModelError, match="nonsense"):
        tiny.prompt("Hi", schema={"type": "object", "nonsense": 1}).text()


def test_tools_go_both_ways() -> None:
    """A fake model calls a tool, and then sees what it gave."""
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    chunk = SimpleNamespace(text="", reasoning="", tool_calls=(), usage=None)
    answers = [
        [{"reasoning": "Hm."}, {"tool_calls": (call,)}],
        [{"text": "It is 3."}],
    ]
    asked: list[Any] = []

    class Fake:
        def stream(self, messages: Any, params: Any, *, tools: Any, response_format: Any) -> Iterator[Any]:
            asked.append((messages, tools))
            return (SimpleNamespace(**{**vars(chunk), **parts}) for parts in answers[len(asked) - 1])

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    model = plugin.RushlightModel("fake")
    model._llm = Fake()
    assert model.chain("What is 1 + 2?", tools=[add]).text().endswith("It is 3.")
    (_, tools), (messages, _) = asked
    function = tools[0]["function"]
    assert (function["name"], function["description"]) == ("add", "Add two numbers.")
    assert function["parameters"]["properties"]["a"] == {"type": "integer"}
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1]["reasoning"] == "Hm."
    function = messages[1]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("add", {"a": 1, "b": 2})
    assert (messages[2]["tool_call_id"], messages[2]["content"]) == ("c1", "3")
