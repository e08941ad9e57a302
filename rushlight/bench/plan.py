"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rushlight.errors import InvalidParameter


@dataclass(frozen=True, kw_only=True)
class BenchPlan:
    """Workloads, as llama.cpp's ``llama-bench`` has them.

    Attributes:
        n_prompt: random tokens that are computed at once; 0 leaves prefill out.
        n_decode: tokens that are generated one by one behind a prompt of one token; 0 leaves decode out.
        depth: tokens that are in the cache before either begins.
        n_sequences: sequences that decode together, each `n_decode` tokens.
        repetitions: how often each is measured.
        warmup: measure each one time more, first, which does not count.

    Raises:
        InvalidParameter: a number below its least, or nothing to measure.
    """

    n_prompt: int = 512
    n_decode: int = 128
    depth: int = 0
    n_sequences: int = 1
    repetitions: int = 3
    warmup: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 1 if field.name in {"n_sequences", "repetitions"} else 0
            if (value := getattr(self, field.name)) < least:
                raise InvalidParameter(f"{field.name} is {value}; it must be at least {least}.")
        if not self.n_prompt and not self.n_decode:
            raise InvalidParameter("n_prompt and n_decode are both 0; one of them must be at least 1.")

    @property
    def n_ctx(self) -> int:
        """Context that a sequence needs: prefill gives one token, decode one more than it counts."""
        return self.depth + max(self.n_prompt + 1, self.n_decode + 2)
