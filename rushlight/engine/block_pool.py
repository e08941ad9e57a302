"""The blocks of one cache group: who uses them, and which hold contents worth finding again.

A block is free, in use (by one or several sequences), or idle: unused, but kept for its content until its
place is needed. Idle blocks are given up longest unused first.
"""

from __future__ import annotations


class BlockPool:
    """Blocks 0 to ``n_blocks - 1`` of a cache group, with reference counts and a content index.

    Attributes:
        n_blocks: all of them.
        n_used: those in use.
    """

    def __init__(self, n_blocks: int) -> None:
        self.n_blocks = n_blocks
        self.n_used = 0
        self._n_users = [0] * n_blocks
        self._free = list(range(n_blocks - 1, -1, -1))
        self._idle: dict[int, None] = {}  # in the order in which they fell idle
        self._block_of: dict[bytes, int] = {}
        self._key_of: dict[int, bytes] = {}

    @property
    def n_available(self) -> int:
        """Blocks that `allocate` can still give."""
        return len(self._free) + len(self._idle)

    @property
    def n_kept(self) -> int:
        """Idle blocks."""
        return len(self._idle)

    def allocate(self) -> int:
        """Take a block; its content is undefined.

        Raises:
            IndexError: none is available.
        """
        if self._free:
            block = self._free.pop()
        elif self._idle:
            block = next(iter(self._idle))
            del self._idle[block]
            del self._block_of[self._key_of.pop(block)]
        else:
            raise IndexError("no block is available")
        self._n_users[block] = 1
        self.n_used += 1
        return block

    def find(self, key: bytes) -> int | None:
        """The block with this content, None if it is not kept."""
        return self._block_of.get(key)

    def is_idle(self, block: int) -> bool:
        """Whether nobody uses the block, while its content is kept."""
        return block in self._idle

    def share(self, block: int) -> None:
        """Become one more user of a block that `find` gave."""
        if not self._n_users[block]:
            del self._idle[block]
            self.n_used += 1
        self._n_users[block] += 1

    def release(self, block: int) -> None:
        """Stop using a block; it falls idle if its content is kept, else it is free."""
        self._n_users[block] -= 1
        if self._n_users[block]:
            return
        self.n_used -= 1
        if block in self._key_of:
            self._idle[block] = None
        else:
            self._free.append(block)

    def forget(self, key: bytes) -> None:
        """Let a block with this content be free, if it is idle."""
        block = self._block_of.get(key)
        if block in self._idle:
            del self._idle[block], self._block_of[key], self._key_of[block]
            self._free.append(block)

    def keep(self, block: int, key: bytes) -> None:
        """Note the content of a block in use, unless another block is already known to hold the same."""
        if key not in self._block_of and block not in self._key_of:
            self._block_of[key] = block
            self._key_of[block] = key
