"""Write docs/text.md from the code: tokenizers, chat templates, thinking and tool calls.

Run from anywhere: ``python docs/generate_text.py``. A test holds the file to what this writes.
"""

from __future__ import annotations

from pathlib import Path

from rushlight.text.default_templates import CHATML
from rushlight.text.kinds import KINDS
from rushlight.text.pre_tokenizers import PRE_TOKENIZERS, PreTokenizer
from rushlight.text.reasoning import REASONING_TAGS
from rushlight.text.tool_formats import TOOL_FORMATS

TARGET = Path(__file__).with_name("text.md")
_CONVERSATION = """\
messages = [{"role": "user", "content": "Will it rain in Zürich?"}]
out = llm.chat(messages, tools=[rain])  # a function with hints and a docstring
while out.tool_calls:
    messages.append({"role": "assistant", "content": out.text, "tool_calls": out.tool_calls})
    for call in out.tool_calls:
        said = str(rain(**json.loads(call["function"]["arguments"])))
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": said})
    out = llm.chat(messages, tools=[rain])
"""


def text_page() -> str:
    """The text of docs/text.md."""
    parts = [
        "# Text: tokenizers, templates, thinking, tool calls",
        "<!-- Written by docs/generate_text.py; change the code and run it again. -->",
        "## Tokenizers",
        "A GGUF file names its kind of tokenizer (`tokenizer.ggml.model`). Each gives the token ids that "
        "llama.cpp gives, special tokens in the text included; "
        "[goldens](../tests/goldens/make_tokens.py) hold that. A `tokenizer.json` is run by the `tokenizers` "
        "library, as transformers does.",
        _table(("`tokenizer.ggml.model`", "what it is"), [(f"`{n}`", k.summary) for n, k in KINDS.items()]),
        "Byte-pair vocabularies also name how text is cut into words (`tokenizer.ggml.pre`). A name that is "
        "not here is an error, never a guess. Names in one row cut alike and have the same settings.",
        _table(("`tokenizer.ggml.pre`", "settings"), _pre_rows()),
        "Where llama.cpp's splitting differs from the regular expression that it is meant to follow, "
        "Rushlight does what llama.cpp does. Characters newer than llama.cpp's Unicode tables, or than "
        "Python's, can be cut differently. Two things are unlike it on purpose: decoding never drops "
        "spaces (`clean_up_tokenization_spaces`), and a damaged vocabulary is refused.",
        "Tokens that a file suppresses (`tokenizer.ggml.suppress_tokens`) are never written.",
        "## Chat templates",
        "A conversation is written out by the model's own Jinja template, letter by letter as transformers' "
        "`apply_chat_template` does: tools (JSON schemas, or Python functions with hints and a docstring), "
        "documents, content in parts, `strftime_now`, `generation` blocks. With tools, the template named "
        "`tool_use` is taken where a model has one. What else a template reads goes into "
        '`chat_template_kwargs`, such as `{"enable_thinking": False}`. '
        "Templates come from strangers: they run in a sandbox, "
        "see plain data only, and are stopped when they take too long or make too much.",
        "A file without a template is told so (`chat_template.is_fallback`; the command line says it), and "
        "`chatml` stands in:",
        f"```jinja\n{CHATML}```",
        "## Reasoning",
        "What a model thinks before it answers is in `reasoning` of a chunk or completion, and not in "
        "`text`. Which marks count is read from the template; one that ends the prompt with the opening mark "
        "is noticed. A prompt that is continued as it is (`generate`) has no parts.",
        _table(
            ("marks", "models"),
            [
                *(
                    (f"{_codes((tags.open,))} ... {_codes((tags.close,))}", tags.models)
                    for tags in REASONING_TAGS
                ),
                ("harmony's channel `analysis`", "gpt-oss"),
            ],
        ),
        "## Tool calls",
        "`llm.chat(messages, tools=[...])` gives `tool_calls` as OpenAI's API writes them, and the finish "
        'reason `"tool_calls"`; `llm.stream` gives each call in the chunk that completes it, and before '
        "that in pieces (`tool_deltas`). [Calls can be demanded](constraints.md#calls-of-tools). Put calls "
        'into the conversation as they are (`{"role": "assistant", "content": out.text, "tool_calls": '
        "out.tool_calls}`) and answer each with a message of the role `tool`. Without `tools`, calls are "
        "text. A call that is malformed stays text, as the model wrote it.",
        f"```python\n{_CONVERSATION}```",
        "A template that shows no tools is helped out: the system message (or the first of the user, where "
        "the template refuses one) tells of the tools and of how to call them, in the model's own format "
        "where it is known, else as hermes. A template that shows tools and writes calls in a format that is "
        "not known is an error. Which format a model speaks is read from its template:",
        _table(
            ("format", "models", "a block begins with"),
            [
                *((form.name, form.models, _codes(form.begins + form.starts[:1])) for form in TOOL_FORMATS),
                ("harmony", "gpt-oss", "`to=functions.`"),
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _pre_rows() -> list[tuple[str, str]]:
    names: dict[PreTokenizer, list[str]] = {}
    for name, pre in PRE_TOKENIZERS.items():
        names.setdefault(pre, []).append(name)
    return [(_codes(tuple(each)), _settings(pre)) for pre, each in names.items()]


def _settings(pre: PreTokenizer) -> str:
    said = {
        "a whole word that is a token is not merged": pre.ignore_merges,
        "BOS unless the file says otherwise": pre.add_bos,
        "BOS always": pre.always_bos,
        "no BOS of its own": not pre.default_bos,
        "spaces as U+2581": pre.escape_spaces,
        "runs of newlines that are tokens stay whole": pre.whole_newlines,
    }
    return "; ".join(text for text, is_set in said.items() if is_set)


def _codes(texts: tuple[str, ...]) -> str:
    return ", ".join(f"`{text}`".replace("|", "\\|") for text in texts)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    TARGET.write_text(text_page(), encoding="utf-8")
