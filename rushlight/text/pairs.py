"""A query and a document as the one text that a reranker reads.

Source: ``format_prompt_rerank`` in llama.cpp's ``tools/server/server-common.cpp``.
"""

from __future__ import annotations

import re

from rushlight.text.tokenizer import Tokenizer

TEMPLATE = "rerank"


def encode_pair(tokenizer: Tokenizer, query: str, document: str) -> list[int]:
    """The token ids of a pair.

    A model with a chat template named "rerank" gets that, with ``{query}`` and ``{document}`` put in. For
    others it is ``[BOS] query [EOS] [SEP] document [EOS]``, of which the file says what is added. In both, a
    special token that the query or the document spells out is plain text.
    """
    template = tokenizer.chat_templates.get(TEMPLATE)
    if template is not None:
        return _fill(tokenizer, template, {"{query}": query, "{document}": document})
    roles, pair = tokenizer.special_roles, tokenizer.pair
    first = [roles["bos"]] if pair.bos and "bos" in roles else []
    end_id = roles.get("eos", roles.get("sep"))
    end = [end_id] if pair.eos and end_id is not None else []
    between = [roles["sep"]] if pair.sep and "sep" in roles else []
    texts = [tokenizer.encode(text, add_special=False, parse_special=False) for text in (query, document)]
    return [*first, *texts[0], *end, *between, *texts[1], *end]


def _fill(tokenizer: Tokenizer, template: str, texts: dict[str, str]) -> list[int]:
    """The tokens of a template: its own special tokens are read as such, those of the texts are not."""
    special = {tokenizer.token_text(id): id for id in sorted(tokenizer.special_ids)}
    written = sorted((text for text in special if text and text in template), key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, written))})", template) if written else [template]
    ids: list[int] = []
    for part in parts:
        if part in special:
            ids.append(special[part])
        elif part:
            filled = re.sub(r"\{query\}|\{document\}", lambda place: texts[place[0]], part)
            ids += tokenizer.encode(filled, add_special=False, parse_special=False)
    return ids
