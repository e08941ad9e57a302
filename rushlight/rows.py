"""What a model gives for each token of a text, and what is made of it: logits, embeddings, scores."""

from __future__ import annotations

import numpy as np

from rushlight.backends.base import Float32Array
from rushlight.engine.driver import Driver
from rushlight.errors import InvalidParameter
from rushlight.models.decoder import CausalModel
from rushlight.models.pooling import Pooling, pool
from rushlight.models.purpose import (
    check_embeds,
    check_gives_hidden_states,
    check_ranks,
    check_writes,
    pooling_left,
)
from rushlight.models.ranking import score_of
from rushlight.prompts import Prompt, is_texts
from rushlight.requests import RequestMaker, complete
from rushlight.text import Tokenizer
from rushlight.text.pairs import encode_pair


class RowReader:
    """Runs prompts for the rows that the model gives; `LLM` says what each method takes, gives and raises.

    Args:
        model: a loaded one.
        name: of its file.
        tokenizer: of the model.
        requests: makes the sequences.
        driver: runs them.
    """

    def __init__(
        self, model: CausalModel, name: str, tokenizer: Tokenizer, requests: RequestMaker, driver: Driver
    ) -> None:
        self._model, self._name, self._tokenizer = model, name, tokenizer
        self._requests, self._driver = requests, driver

    def logits(self, token_ids: list[int]) -> Float32Array:
        """See `LLM.logits`."""
        check_writes(self._model.config, self._name)
        return self._rows([token_ids])[0]

    def embeddings(self, texts: list[Prompt]) -> Float32Array:
        """See `LLM.embed`."""
        check_embeds(self._model.config, self._name)
        pooling = pooling_left(self._model.config)
        rows = self._rows([self._ids(text) for text in texts], every_row=pooling is not Pooling.LAST)
        return np.stack([pool(of_text, pooling) for of_text in rows])

    def hidden_states(self, text: Prompt) -> Float32Array:
        """See `LLM.hidden_states`."""
        check_gives_hidden_states(self._model.config, self._name)
        return self._rows([self._ids(text)])[0]

    def scores(self, query: str, documents: list[str]) -> Float32Array:
        """See `LLM.rerank`."""
        check_ranks(self._model.config, self._name)
        if not isinstance(query, str) or not is_texts(documents):
            raise InvalidParameter("A reranker takes a query, a text, and documents, a list of texts.")
        pairs = [encode_pair(self._tokenizer, query, document) for document in documents]
        rows = self._rows(pairs, every_row=False)
        return np.array([score_of(row[-1], self._model.softmax_scores) for row in rows], np.float32)

    def _ids(self, text: Prompt) -> list[int]:
        return self._tokenizer.encode(text) if isinstance(text, str) else text

    def _rows(self, prompts: list[list[int]], every_row: bool = True) -> list[Float32Array]:
        """What the model gives after each token of some prompts, or after the last: float32 [n, columns]."""
        requests = [self._requests.rows(ids, every_row) for ids in prompts]
        complete(self._driver, requests)
        return [np.concatenate(sequence.logit_rows) for sequence, _ in requests]
