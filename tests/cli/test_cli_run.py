"""``rushlight run``: flags in, words out, exit codes."""

from __future__ import annotations

import io
import json
import shlex
import sys
from types import SimpleNamespace

import pytest
from fake_llm import DIGEST, Script

from rushlight.cli import main
from rushlight.cli.memory_options import size
from rushlight.errors import ContextOverflow, ModelNotFound
from rushlight.params import EngineOptions

Captured = pytest.CaptureFixture[str]


def test_words_go_to_standard_output_and_nothing_else(script: Script, capsys: Captured) -> None:
    assert main(["run", "Write a haiku"]) == 0
    out, err = capsys.readouterr()
    assert out == "Ice and sticks\n"
    assert err == ""


def test_defaults_are_the_tutorials(script: Script) -> None:
    assert main(["run", "Write a haiku"]) == 0
    prompt, params = script.asked[0]
    assert prompt == [{"role": "user", "content": "Write a haiku"}]
    assert (params.temperature, params.max_tokens, params.top_p) == (1.0, 100, 1.0)
    assert (params.repeat_penalty, params.repeat_last_n, params.seed) == (1.2, 64, None)
    assert (params.top_k, params.min_p, params.stop) == (0, 0.0, ())
    loaded = script.loaded[0]
    assert loaded["options"] == EngineOptions()
    assert loaded["reference"] == "phi3"
    assert (loaded["backend"], loaded["n_threads"], loaded["n_ctx"], loaded["tokenizer"]) == (
        "auto",
        None,
        None,
        None,
    )
    assert loaded["closed"]


def test_every_flag_arrives(script: Script) -> None:
    flags = shlex.split(
        "-m org/repo:Q4_0 --tokenizer t.json --backend reference --threads 3 --ctx 512 --temperature 0.5 "
        "--top-k 40 --top-p 0.9 --min-p 0.05 --repeat-penalty 1.1 --repeat-last-n 32 --seed 7 --stop END "
        "--stop STOP --system Be"
    )
    assert main(["run", *flags, "Hi"]) == 0
    prompt, params = script.asked[0]
    assert prompt[0] == {"role": "system", "content": "Be"}
    assert (params.temperature, params.top_k, params.top_p, params.min_p) == (0.5, 40, 0.9, 0.05)
    assert (params.repeat_penalty, params.repeat_last_n, params.seed) == (1.1, 32, 7)
    assert tuple(params.stop) == ("END", "STOP")
    loaded = script.loaded[0]
    assert (loaded["reference"], loaded["tokenizer"]) == ("org/repo:Q4_0", "t.json")
    assert (loaded["backend"], loaded["n_threads"], loaded["n_ctx"]) == ("reference", 3, 512)


def test_what_is_kept_of_prompts_is_the_users_choice(script: Script) -> None:
    assert main(["run", "--kv-size", "1.5G", "--cache-dir", "kept", "--cache-size", "500M", "Hi"]) == 0
    assert script.loaded[0]["options"] == EngineOptions(
        kv_bytes=3 * 2**29, cache_dir="kept", cache_bytes=500 * 2**20
    )


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("7", 7), ("2k", 2048), ("1 M", 2**20), ("3GB", 3 << 30), ("0.5GiB", 1 << 29)]
)
def test_sizes_are_read_as_people_write_them(text: str, n_bytes: int) -> None:
    assert size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "G", "0", "-1G", "lots", "nan", "inf", "1e30", "4 Q"])
def test_what_is_no_size_is_wrong_usage(script: Script, text: str, capsys: Captured) -> None:
    assert main(["run", f"--cache-size={text}", "Hi"]) == 2
    assert "is no size" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-n", "--max-tokens", "--sample-len"])
def test_names_of_the_limit(script: Script, flag: str) -> None:
    assert main(["run", flag, "5", "Hi"]) == 0
    assert script.asked[0][1].max_tokens == 5


def test_raw_leaves_the_template_out(script: Script) -> None:
    assert main(["run", "--raw", "Once upon"]) == 0
    assert script.asked[0][0] == "Once upon"


def test_a_model_without_template_is_noted(script: Script, capsys: Captured) -> None:
    script.no_template = True
    assert main(["run", "--raw", "Hi"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["run", "Hi"]) == 0
    assert "no chat template" in capsys.readouterr().err


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


@pytest.mark.parametrize("data", ["Grüße\n", "Grüße\r\n", "\ufeffGrüße"])
def test_a_dash_reads_standard_input(script: Script, monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    stdin(monkeypatch, data.encode())
    assert main(["run", "--raw", "-"]) == 0
    assert script.asked[0][0] == "Grüße"


def test_standard_input_must_be_utf8(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    stdin(monkeypatch, "Grüße".encode("latin-1"))
    assert main(["run", "-"]) == 1
    assert "not UTF-8" in capsys.readouterr().err


def test_verbose_tells_the_seed_and_the_timings(script: Script, capsys: Captured) -> None:
    assert main(["run", "-v", "-m", "smollm2", "Hi"]) == 0
    out, err = capsys.readouterr()
    assert out == "Ice and sticks\n"
    lines = dict(line.split(None, 1) for line in err.splitlines())
    assert (lines["model"], lines["context"], lines["seed"]) == ("smollm2", "8192 tokens", "4242")
    assert lines["prompt"] == "7 tokens in 0.50 s, 14.0 tok/s"
    assert lines["answer"] == "3 tokens in 0.25 s, 8.0 tok/s"
    assert "after 0.500 s" in err
    assert "load" in lines
    assert lines["digest"] == "0123456789abcdef"


def test_thoughts_go_to_standard_error(script: Script, capsys: Captured) -> None:
    script.thoughts = ["Hm", "."]
    assert main(["run", "Write a haiku"]) == 0
    assert capsys.readouterr() == ("Ice and sticks\n", "Hm.\n\n")
    assert main(["run", "--json", "Write a haiku"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["reasoning"], json.loads(out)["text"], err) == ("Hm.", "Ice and sticks", "")


def test_json_is_one_object(script: Script, capsys: Captured) -> None:
    assert main(["run", "--json", "--seed", "9", "Hi"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["text"], answer["token_ids"], answer["finish_reason"]) == (
        "Ice and sticks",
        [0, 1, 2],
        "stop",
    )
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 3}
    assert (answer["seed"], answer["model"]) == (9, "phi3")
    assert answer["digest"] == DIGEST
    assert answer["timings"]["time_to_first_token"] == 0.5


def test_a_users_error_is_one_line(script: Script, capsys: Captured) -> None:
    script.load_error = ModelNotFound("There is no\nfile x.gguf.")
    assert main(["run", "-m", "x.gguf", "Hi"]) == 1
    assert capsys.readouterr() == ("", "error: There is no file x.gguf.\n")
    script.load_error = None
    script.pieces = ["Ice", ContextOverflow("The prompt has 9 tokens, the context 8.")]
    assert main(["run", "Hi"]) == 1
    assert capsys.readouterr() == ("Ice\n", "error: The prompt has 9 tokens, the context 8.\n")


def test_an_interrupt_keeps_what_was_printed(script: Script, capsys: Captured) -> None:
    script.pieces = ["Ice", " and", KeyboardInterrupt()]
    assert main(["run", "Hi"]) == 130
    assert capsys.readouterr() == ("Ice and\n", "")
    assert script.loaded[0]["closed"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run"], "PROMPT"),
        (["run", "--nonsense", "Hi"], "--nonsense"),
        (["run", "-n", "many", "Hi"], "many"),
        (["run", "--temperature", "-1", "Hi"], "temperature is -1"),
        (["run", "--top-p", "1.5", "Hi"], "top_p is 1.5"),
        (["run", "--seed", "-3", "Hi"], "seed is -3"),
        (["run", "--raw", "--system", "Be", "Hi"], "--system"),
        (["run", "--max", "5", "Hi"], "--max"),
        (["rnu", "Hi"], "did you mean run"),
        (["pull"], "REF"),
        (["tokenize", "Hi"], "--model"),
    ],
)
def test_wrong_usage_is_one_line(
    script: Script, capsys: Captured, arguments: list[str], complaint: str
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("error: ") and complaint in err
    assert script.loaded == []


@pytest.mark.parametrize(
    ("asked", "found", "noted"),
    [("auto", "reference", True), ("reference", "reference", False), ("auto", "cpu", False)],
)
def test_a_slow_backend_that_nobody_asked_for_is_noted(
    script: Script, capsys: Captured, monkeypatch: pytest.MonkeyPatch, asked: str, found: str, noted: bool
) -> None:
    monkeypatch.setattr(sys.modules["rushlight.llm"].LLM, "backend", found)
    assert main(["run", "--backend", asked, "hi"]) == 0
    assert ("no kernels run on this processor" in capsys.readouterr().err) == noted


def test_a_context_beyond_the_training_is_noted(
    script: Script, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["rushlight.llm"].LLM, "n_ctx", 9000)
    assert main(["run", "hi"]) == 0
    assert "9000 is more than the 8192 tokens" in capsys.readouterr().err
