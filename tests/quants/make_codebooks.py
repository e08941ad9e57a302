"""Print the strings of rushlight/quants/codebooks.py, from the grids of gguf-py::

python tests/quants/make_codebooks.py
"""

from __future__ import annotations

import base64
import zlib

import gguf
import numpy as np

TYPES = ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")


def main() -> None:
    """A line of text for each 100 characters."""
    for name in TYPES:
        traits = gguf.quants._type_traits[gguf.GGMLQuantizationType[name]]
        traits.init_grid()
        levels = list(traits.grid_map)
        digits = np.searchsorted(levels, traits.grid.reshape(traits.grid_shape))
        codes = digits @ len(levels) ** np.arange(digits.shape[1])
        gaps = np.diff(codes, prepend=0)
        text = base64.b85encode(zlib.compress(gaps.astype("<u2").tobytes(), 9)).decode()
        print(f"_{name} = (")
        print(
            "\n".join(f'    "{line}"' for line in (text[i : i + 100] for i in range(0, len(text), 100)))
            + "\n)"
        )


if __name__ == "__main__":
    main()
