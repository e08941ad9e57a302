"""Write docs/server.md from the code: endpoints, the fields of requests, options, metrics.

Run from anywhere: ``python docs/generate_server.py``. A test holds the file to what this writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rushlight.engine.stats import EngineStats
from rushlight.server.endpoint import Endpoint
from rushlight.server.endpoints import ENDPOINTS
from rushlight.server.fields import Field
from rushlight.server.metrics import Metrics
from rushlight.server.options import ServerOptions
from rushlight.server.schemas.constraints import CONSTRAINTS
from rushlight.server.schemas.sampling import SAMPLING

TARGET = Path(__file__).with_name("server.md")
_DEFAULTS = ServerOptions()
_START = """\
rushlight serve -m smollm2
curl http://127.0.0.1:8080/v1/chat/completions -H "Content-Type: application/json" \\
  -d '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 40}'
"""


def server_page() -> str:
    """The text of docs/server.md."""
    parts = [
        "# The server",
        "<!-- Written by docs/generate_server.py; change the code and run it again. -->",
        f"```\n{_START}```",
        "`rushlight serve` gives an API that clients of OpenAI and Anthropic speak, and a chat page, on "
        "one port and one model: a single process, starlette and uvicorn, beside the thread that runs the "
        "engine. What is asked at once is computed in one batch. Each answer depends on its request "
        "alone: the same model, prompt, parameters and `seed` give [the same words](same-words.md), "
        "whatever else the server does. [Examples](examples.md) for clients.",
        "## Endpoints",
        _table(("", "", ""), [(e.method, f"`{_shown(e.path)}`", _linked(e)) for e in ENDPOINTS]),
        "`/openapi.json` describes them; it is made of the tables below, as are the checks. `/` is "
        "[the chat page](page.md).",
        "The field `model` holds a name of the served model: what `-m` says (of a file its name without "
        "`.gguf`), or each `--alias`. Another one is an error (404); without it the served model is meant.",
        "An answer's `seed` is told in each choice. Without one in the request it is drawn. Of several "
        "choices (`n`), choice i has the seed plus i. `system_fingerprint` is the version: what answers "
        "depend on besides the request and the model. `timings`, in llama.cpp's names, is an extension.",
        "A prompt that does not fit the context is an error with the numbers (400, "
        "`context_length_exceeded`). Nothing is cut off unless `truncation` or `truncate_prompt_tokens` "
        "says so; then `truncated_tokens` in the usage tells how much was.",
        "Only text is read. Parts of a message are joined by line breaks, as vLLM and llama.cpp do. A "
        "`developer` is the system where the chat template knows no developer. Thoughts come as "
        "`reasoning_content` (chats), items of type `reasoning` (responses) or blocks of type `thinking` "
        "(messages), and are taken back as such.",
        "A failure in the middle of a stream is an event with an `error` (chats, completions), "
        "`response.failed`, or Anthropic's event `error`; the stream then ends.",
        "## Fields",
        "Every field of a request is listed here. **Supported** ones do what is said; **ignored** ones "
        "may hold anything, because they cannot change an answer here; **refused** ones are errors that "
        "say why. Any other field is an error that names it. null means that a field is not given.",
        "### Sampling",
        _table(("field", "", ""), _rows(SAMPLING)),
        "### Constraints",
        "At most one; [what holds](constraints.md). `response_format`, `text` and `output_config` are the "
        "standard ways to give one.",
        _table(("field", "", ""), _rows(CONSTRAINTS)),
        *(_fields(endpoint) for endpoint in ENDPOINTS if endpoint.body is not None),
        *_under_load(),
        *_access(),
        *_observing(),
    ]
    return "\n\n".join(parts) + "\n"


def _under_load() -> list[str]:
    return [
        "## Under load",
        f"`--parallel` sequences run at once; `--queue` ({_DEFAULTS.n_queue}) more wait, first come first "
        "served among those that ask for as much. One more is refused with 429 and `Retry-After`; each "
        "choice and each prompt of a batch counts as one. The memory of the KV cache is fixed when the "
        "server starts (`--kv-size`); [what is kept](caches.md) of prompts.",
        f"A request may take `--timeout` seconds ({_DEFAULTS.request_seconds:g}), waiting included, or "
        "fewer with the field `timeout`; then it ends with 504, or with an error event. A client that "
        "goes away ends its answers before the next step, and their memory is free. Comments keep silent "
        "streams open.",
        "`/health` answers as long as the process does. `/ready` is 503 while the server stops or its "
        "queue is full.",
        "SIGTERM or Ctrl-C stops the server: it takes no connections any more, lets what runs end, and "
        f"ends itself; after `--drain` seconds ({_DEFAULTS.drain_seconds:g}), or at a second signal, what "
        "still runs ends with an error. The exit code is 0 after SIGTERM and 130 after Ctrl-C.",
    ]


def _access() -> list[str]:
    return [
        "## Access",
        "- The server listens on a loopback address unless `--host` names another. An address that others "
        "can reach needs an API key, or `--no-api-key`.\n"
        "- Keys come from `--api-key`, from `--api-key-file` (one a line), or from `RUSHLIGHT_API_KEY`; "
        "several may hold at once. They are taken as `Authorization: Bearer KEY` or `x-api-key: KEY`, and "
        "compared in constant time. The page, `/health`, `/ready` and `/openapi.json` need none.\n"
        "- On a loopback address only loopback names are taken in the `Host` header, so that no page "
        "reaches the server through DNS of its own; `--allowed-host` adds names.\n"
        "- Requests from pages of other origins are refused unless `--cors-origin` allows their origin.\n"
        f"- Bodies are JSON (`Content-Type: application/json`) of at most {_DEFAULTS.max_body_bytes >> 20} "
        "MiB (`--max-body`). A schema, regular expression or grammar has at most "
        f"{_DEFAULTS.max_schema_bytes >> 10} KiB, a request at most {_DEFAULTS.max_choices} choices a "
        f"prompt and {_DEFAULTS.max_inputs} prompts or texts.\n"
        "- No path or model name of a request touches the file system: the page's files are read when the "
        "server starts. They are served with a strict content security policy.\n"
        "- There is no TLS: put a proxy in front of a server that others reach.",
    ]


def _observing() -> list[str]:
    nothing = dict.fromkeys(EngineStats._fields, 0)
    stats = EngineStats(**{**nothing, "blocks": (), "finished": {}})
    metrics = Metrics(lambda: stats, {})
    rows = [(f"`{name}`", kind, about) for name, kind, about in metrics.described()]
    return [
        "## Observing",
        "`/metrics` speaks Prometheus' text format:",
        _table(("metric", "type", ""), rows),
        "The log goes to standard error, a line of JSON for each request: its id, path, status, seconds, "
        "tokens, time to the first token, finish reasons, and what error it got. Words of prompts and "
        "answers are never in it; `--log-prompts` writes the bodies of requests too. A request's id is "
        "the header `x-request-id` if it has one, and comes back in the answer.",
    ]


def _fields(endpoint: Endpoint) -> str:
    assert endpoint.body is not None
    fields = endpoint.body.fields
    by_status: dict[str, list[Field]] = {"supported": [], "ignored": [], "refused": []}
    for field in fields:
        if field not in SAMPLING and field not in CONSTRAINTS:
            by_status[field.status].append(field)
    lines = [f"### {_shown(endpoint.path)}", _table(("field", "", ""), _rows(by_status["supported"]))]
    if SAMPLING[0] in fields:
        stop = "" if any(field.name == "stop" for field in fields) else " without `stop`"
        lines.append(f"And the fields of [sampling](#sampling){stop} and of [constraints](#constraints).")
    for status in ("ignored", "refused"):
        if by_status[status]:
            named = "; ".join(f"`{field.name}` ({field.about.rstrip('.')})" for field in by_status[status])
            lines.append(f"{status.capitalize()}: {named}.")
    return "\n\n".join(lines)


def _rows(fields: Iterable[Field]) -> list[tuple[str, ...]]:
    return [(f"`{field.name}`", "required" if field.required else "", field.about) for field in fields]


def _linked(endpoint: Endpoint) -> str:
    anchor = _shown(endpoint.path).replace("/", "").replace("{", "").replace("}", "")
    return f"[{endpoint.about}](#{anchor})" if endpoint.body is not None else endpoint.about


def _shown(path: str) -> str:
    return path.replace(":path", "")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    TARGET.write_text(server_page(), encoding="utf-8")
