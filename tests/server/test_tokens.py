"""``/tokenize`` and ``/detokenize``."""

from __future__ import annotations

from running import RunningServer


def test_texts_go_to_tokens_and_back(smollm2: RunningServer) -> None:
    text = "Hello wörld 🏒<|im_end|>"
    ids = smollm2.llm.tokenize(text)
    found = smollm2.post("/tokenize", {"prompt": text, "return_token_strs": True}).json()
    assert (found["tokens"], found["count"], found["max_model_len"]) == (ids, len(ids), 1024)
    assert found["token_strs"][0] == "Hello"
    assert smollm2.post("/detokenize", {"tokens": ids}).json()["content"] == text
    plain = smollm2.post("/tokenize", {"content": text, "parse_special": False, "with_pieces": True}).json()
    assert [each["id"] for each in plain["tokens"]] == smollm2.llm.tokenize(text, False, False)
    pieces = [each["piece"] for each in plain["tokens"]]
    assert b"".join(p.encode() if isinstance(p, str) else bytes(p) for p in pieces).decode() == text
    assert any(isinstance(piece, list) for piece in pieces)


def test_a_conversation_has_the_tokens_of_its_prompt(smollm2: RunningServer) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    count = smollm2.post("/tokenize", {"messages": messages}).json()["count"]
    answer = smollm2.post("/v1/chat/completions", {"messages": messages, "max_tokens": 1}).json()
    assert count == answer["usage"]["prompt_tokens"]


def test_what_is_no_text_or_token_is_refused(smollm2: RunningServer) -> None:
    for path, body, message in (
        ("/tokenize", {}, "got none"),
        ("/tokenize", {"content": "a", "prompt": "b"}, "got content, prompt"),
        ("/detokenize", {"tokens": [1, 10**6]}, "1000000"),
        ("/detokenize", {"tokens": "1"}, "a list"),
        ("/detokenize", {}, "tokens is missing"),
    ):
        answer = smollm2.post(path, body)
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["error"]["message"]


def test_the_tokenizer_tells_of_itself(smollm2: RunningServer) -> None:
    found = smollm2.http.get("/tokenizer_info").json()
    assert (found["bos_token"], found["eos_token"]) == ("<|im_start|>", "<|im_end|>")
    assert found["chat_template"] == smollm2.llm.metadata["tokenizer.chat_template"]
