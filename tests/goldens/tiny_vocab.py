"""Two vocabularies of 320 tokens for the tiny models: byte-level BPE and SPM, both able to spell any text."""

from __future__ import annotations

from dataclasses import dataclass

N_VOCAB = 320
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6

# fmt: off
BPE_MERGES = (
    "Ġ t", "Ġ a", "h e", "i n", "r e", "o n", "Ġt he", "e r", "Ġ s", "a t", "Ġ w", "Ġ o", "e n", "Ġ c",
    "i t", "i s", "a n", "o r", "e s", "Ġ b", "e d", "Ġ f", "in g", "Ġ p", "o u", "Ġa n", "a l", "a r",
    "Ġt o", "Ġ m", "Ġo f", "Ġ in", "Ġ d", "Ġ h", "Ġan d", "i c", "a s", "l e", "Ġt h", "i on", "o m", "l l",
    "en t", "Ġ n", "Ġ l", "s t", "Ġ re", "v e", "Ġ e", "r o", "l y", "Ġb e", "Ġ g", "Ġ T", "c t", "Ġ S",
    "i d", "o t", "Ġ I", "u t",
)

SPM_PIECES = (
    "▁", "e", "t", "a", "o", "i", "n", "s", "r", "h", "l", "d", "u", "c", "m", "f", "p", "g", "w", "y", "b",
    "v", "k", "x", "j", "q", "z", "▁t", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "▁a", "▁s",
    "or", "es", "is", "▁w", "▁o", "ing", "▁the", "▁c", "ou", "it",
)
# fmt: on


@dataclass(frozen=True)
class Vocabulary:
    """Tokenizer metadata of one tiny vocabulary; scores are for SPM, merges for BPE."""

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    scores: tuple[float, ...]
    merges: tuple[str, ...]
    special: dict[str, int]
    flags: dict[str, bool]
    chat_template: str


def _byte_letters() -> list[str]:
    """GPT-2's printable stand-in for each byte value."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) if byte in plain else chr(256 + others.index(byte)) for byte in range(256)]


def bpe_vocabulary() -> Vocabulary:
    """256 bytes, 60 merges, 4 control tokens."""
    control = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>")
    tokens = (*_byte_letters(), *(merge.replace(" ", "") for merge in BPE_MERGES), *control)
    types = (NORMAL,) * (N_VOCAB - len(control)) + (CONTROL,) * len(control)
    return Vocabulary(
        model="gpt2",
        pre="gpt-2",
        tokens=tokens,
        types=types,
        scores=(),
        merges=BPE_MERGES,
        special={"bos": 316, "eos": 318, "padding": 319},
        flags={"add_bos_token": False},
        chat_template=(
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
            " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}"
            "{{ '<|im_start|>assistant\n' }}{% endif %}"
        ),
    )


def spm_vocabulary(
    control: tuple[str, ...], eos: int, add_space_prefix: bool, chat_template: str
) -> Vocabulary:
    """<unk>, <s>, </s>, 256 bytes, pieces by falling score, and a family's own control tokens at the end."""
    n_pieces = N_VOCAB - 259 - len(control)
    pieces = SPM_PIECES[:n_pieces]
    filler = tuple(f"<unused{i}>" for i in range(n_pieces - len(pieces)))
    tokens = ("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces, *filler, *control)
    types = (UNKNOWN, CONTROL, CONTROL, *(BYTE,) * 256, *(NORMAL,) * n_pieces, *(CONTROL,) * len(control))
    scores = (0.0,) * 259 + tuple(float(-i) for i in range(n_pieces)) + (-1000.0,) * len(control)
    return Vocabulary(
        model="llama",
        pre="default",
        tokens=tokens,
        types=types,
        scores=scores,
        merges=(),
        special={"bos": 1, "eos": eos, "unknown": 0, "padding": eos},
        flags={"add_bos_token": True, "add_eos_token": False, "add_space_prefix": add_space_prefix},
        chat_template=chat_template,
    )


PHI3_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n'"
    " + message['content'] + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def vocabulary_of(arch: str) -> Vocabulary:
    """The vocabulary of an architecture's family: SPM for phi3 and gemma3, BPE for the others."""
    if arch == "phi3":
        control = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
        return spm_vocabulary(control, N_VOCAB - len(control), True, PHI3_TEMPLATE)
    if arch == "gemma3":
        return spm_vocabulary(("<start_of_turn>", "<end_of_turn>"), N_VOCAB - 1, False, GEMMA_TEMPLATE)
    return bpe_vocabulary()
