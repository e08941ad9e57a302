"""Which of a repo's files a reference means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from rushlight.errors import AmbiguousModel, ModelNotFound
from rushlight.hub.near import listing

# The order in which a repo's files are preferred when the reference names none: small and good first,
# then larger, then unquantized. Types that Rushlight does not read are never chosen among others.
PREFERENCE = (
    "Q4_K_M", "Q4_K_S", "Q4_K", "Q4_0", "Q4_1", "Q4", "Q5_K_M", "Q5_K_S", "Q5_K", "Q5_0", "Q5_1",
    "Q6_K", "Q8_0", "Q8", "BF16", "F16", "FP16", "F32", "FP32",
)  # fmt: skip

# Compiled where they are used: a file on this machine needs the first alone.
_SPLIT = r"(?P<stem>.*)-(?P<part>\d{5})-of-(?P<count>\d{5})\.gguf"
_QUANT = r"(?:^|[-_.])((?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4|BF16|F(?:P)?(?:16|32)))(?=[-_.]|$)"
_COMPANIONS = r"(?:^|[-_.])(?:mmproj|imatrix)(?:[-_.]|$)"  # not language models


class Candidate(NamedTuple):
    """One model of a repo: a file, or all the parts of a split one in order."""

    files: tuple[str, ...]

    @property
    def quant(self) -> str | None:
        """The quantization that the file name tells, in capitals, or None."""
        stem = PurePosixPath(self.files[0]).name
        split = re.fullmatch(_SPLIT, stem, re.IGNORECASE)
        found = re.findall(_QUANT, split["stem"] if split else stem[: -len(".gguf")], re.IGNORECASE)
        return found[-1].upper() if found else None


def split_parts(name: str) -> tuple[str, ...]:
    """Return the names of all parts of the split file that `name` is a part of; else `name` alone."""
    match = re.fullmatch(_SPLIT, name, re.IGNORECASE)
    if match is None:
        return (name,)
    count = int(match["count"])
    return tuple(f"{match['stem']}-{i:05d}-of-{count:05d}{name[-5:]}" for i in range(1, count + 1))


def candidates(names: Iterable[str]) -> list[Candidate]:
    """Group the ``.gguf`` files among `names` into models; vision projectors and the like are left out."""
    groups = dict.fromkeys(
        split_parts(name)
        for name in sorted(names)
        if name.lower().endswith(".gguf")
        and not re.search(_COMPANIONS, PurePosixPath(name).name, re.IGNORECASE)
    )
    return [Candidate(files) for files in groups]


def choose(names: Iterable[str], *, quant: str | None, where: str, cure: str = "Name one") -> Candidate:
    """Choose a model among a repo's files: the quantization asked for, else the first of `PREFERENCE`.

    Args:
        names: every file of the repo.
        quant: ``Q4_K_M`` and the like, in any case, or None.
        where: the repo, for messages.
        cure: what to do about an ambiguous reference, for its message.

    Raises:
        ModelNotFound: there is no GGUF file, or none of that quantization.
        AmbiguousModel: several fit equally well; they are listed.
    """
    models = candidates(names)
    if not models:
        raise ModelNotFound(f"{where} holds no .gguf file; look for the same model with GGUF in its name.")
    if quant is not None:
        fits = [m for m in models if m.quant in {quant.upper(), "UD-" + quant.upper()}]
        fits = [m for m in fits if m.quant == quant.upper()] or fits
        if not fits:
            known = listing(sorted({m.quant for m in models if m.quant})) or listing(
                m.files[0] for m in models
            )
            raise ModelNotFound(f"{where} holds no {quant.upper()} file; it holds {known}.")
        return _only(fits, where, cure)
    for preferred in PREFERENCE:
        if fits := [m for m in models if m.quant == preferred]:
            return _only(fits, where, cure)
    return _only(models, where, cure)


def _only(fits: list[Candidate], where: str, cure: str) -> Candidate:
    if len(fits) == 1:
        return fits[0]
    names = listing(m.files[0] for m in fits)
    raise AmbiguousModel(f"{where} holds several files that fit: {names}. {cure}.")
