"""Greedy pair merging: the one algorithm under both byte-pair and SentencePiece vocabularies."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

Priority = Callable[[str, str], float | None]


def merge(symbols: list[str], priority: Priority) -> list[str]:
    """Join neighbours, the most urgent pair first, until no pair may be joined.

    This is the merging of llama.cpp (``llm_tokenizer_bpe_session`` and ``llm_tokenizer_spm_session`` in
    ``src/llama-vocab.cpp``): pairs are judged by their text, and of equal pairs the leftmost is joined first.
    The BPE model of the `tokenizers` library cannot express it: there each pair of *tokens* has a rank of its
    own, so equal scores have no order by position, and a symbol without a token cannot be joined. That model
    also takes 0.65 s to build for 128,000 tokens and 280,000 merges; here there is nothing to build.

    Takes O(n log n) time.

    Args:
        symbols: the symbols to start from, usually single characters.
        priority: of a pair, the smallest being the most urgent; None if it may not be joined.

    Returns:
        The joined symbols, whose concatenation is that of the input.
    """
    symbols = list(symbols)
    n = len(symbols)
    before = list(range(-1, n - 1))
    after = list(range(1, n + 1))
    heap: list[tuple[float, int, int, int]] = []
    for left in range(n - 1):
        urgency = priority(symbols[left], symbols[left + 1])
        if urgency is not None:
            heap.append((urgency, left, left + 1, len(symbols[left]) + len(symbols[left + 1])))
    heapify(heap)
    while heap:
        _, left, right, size = heappop(heap)
        # A symbol only grows, and one that was joined to its left neighbour is empty: the size tells both.
        if not symbols[left] or not symbols[right] or len(symbols[left]) + len(symbols[right]) != size:
            continue
        symbols[left] += symbols[right]
        symbols[right] = ""
        following = after[left] = after[right]
        if following < n:
            before[following] = left
        for a, b in ((before[left], left), (left, following)):
            if a < 0 or b >= n:
                continue
            urgency = priority(symbols[a], symbols[b])
            if urgency is not None:
                heappush(heap, (urgency, a, b, len(symbols[a]) + len(symbols[b])))
    return [symbol for symbol in symbols if symbol]
