"""An answer as blocks, one after the other: thoughts, text, calls of tools. Two APIs stream them so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from rushlight.completion import Chunk, Completion

BlockKind = Literal["reasoning", "text", "call"]


class Block(NamedTuple):
    """A whole block.

    Attributes:
        kind: what it holds.
        content: the thoughts, the text, or the arguments of the call as JSON text.
        call_id, name: of a call.
    """

    kind: BlockKind
    content: str
    call_id: str = ""
    name: str = ""


class BlockStep(NamedTuple):
    """What happens to a block: it starts, grows, or is done.

    Attributes:
        step: which of these.
        place: of the block in the answer.
        block: what it holds now; at the start nothing.
        delta: what it grows by.
    """

    step: Literal["start", "delta", "stop"]
    place: int
    block: Block
    delta: str = ""


class BlockWriter:
    """Turns chunks into steps of blocks.

    Attributes:
        blocks: those that are done.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._open: Block | None = None

    def feed(self, chunk: Chunk) -> Iterator[BlockStep]:
        """The steps that a chunk makes."""
        if chunk.reasoning:
            yield from self._grow(Block("reasoning", ""), chunk.reasoning)
        if chunk.text:
            yield from self._grow(Block("text", ""), chunk.text)
        for delta in chunk.tool_deltas:
            if delta.name is not None:
                yield from self.finish()
            yield from self._grow(Block("call", "", delta.id or "", delta.name or ""), delta.arguments)

    def finish(self) -> Iterator[BlockStep]:
        """The end of the open block, if there is one."""
        if self._open is not None:
            yield BlockStep("stop", len(self.blocks), self._open)
            self.blocks.append(self._open)
            self._open = None

    def _grow(self, block: Block, delta: str) -> Iterator[BlockStep]:
        """Let the open block grow, or one of another kind begin."""
        if self._open is None or self._open.kind != block.kind:
            yield from self.finish()
            self._open = block
            yield BlockStep("start", len(self.blocks), block)
        self._open = self._open._replace(content=self._open.content + delta)
        yield BlockStep("delta", len(self.blocks), self._open, delta)


def blocks_of(completion: Completion) -> list[Block]:
    """The blocks of a whole answer."""
    found = []
    if completion.reasoning:
        found.append(Block("reasoning", completion.reasoning))
    if completion.text:
        found.append(Block("text", completion.text))
    for call in completion.tool_calls:
        found.append(Block("call", call["function"]["arguments"], call["id"], call["function"]["name"]))
    return found
