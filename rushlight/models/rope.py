"""Tables of rotary position embedding (RoPE): plain, linear, with factors (Llama 3, LongRoPE), YaRN.

Pair i of a head turns by ``position * base^(-2i / n_rot)`` (Su et al. 2021, "RoFormer"). The variants change
the frequency of each pair and the magnitude of the result, never the rotation itself.

The table is built of additions and multiplications alone, so that it has the same bits on every processor:
NumPy's ``cos`` and ``sin`` do not.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Float32Array, RopeTable
from rushlight.errors import InvalidFile
from rushlight.models.rope_scaling import RopeScaling

Float64Array = npt.NDArray[np.float64]
Rotation = tuple[Float64Array, Float64Array]  # cosine and sine of one angle for each pair

MAX_N_ROT = 4096  # a table of more would fill a small machine before a tensor of another shape is noticed
_RUN = 256  # positions whose angles are worked on together: a power of two, few enough to stay in the cache
_DECIMAL = Context(prec=40)
_MAX_FREQUENCY = 16.0  # radians from one position to the next; beyond it the series below loses digits
_SERIES_TERMS = 32


class RopeFactors(NamedTuple):
    """Divisors of the frequencies, float64 [n_rot / 2].

    Attributes:
        short: up to the original context; also the only set of a model that has one.
        long: beyond it; None: `short` serves every context.
    """

    short: Float64Array
    long: Float64Array | None = None

    def choose(self, n_ctx: int, n_ctx_orig: int) -> Float64Array:
        """The set for a model loaded with `n_ctx`; it stays for the whole life of a sequence."""
        return self.long if self.long is not None and n_ctx > n_ctx_orig else self.short


def rope_table(
    n_ctx: int,
    n_rot: int,
    freq_base: float,
    interleaved: bool,
    scaling: RopeScaling | None = None,
    factors: RopeFactors | None = None,
) -> RopeTable:
    """The cosines and sines of positions 0 to ``n_ctx - 1``, rounded once from float64 to float32.

    Args:
        n_ctx: positions the model is loaded for.
        n_rot: columns of each head that are rotated, even.
        freq_base: base of the frequencies.
        interleaved: pairs are neighbouring columns, otherwise halves (NeoX).
        scaling: how the context was extended; None: it was not.
        factors: divisors of the frequencies, if the file has them.

    Raises:
        InvalidFile: more columns than any model has, or factors or a scaling that give frequencies which are
            not finite, or absurd.
    """
    if n_rot > MAX_N_ROT:
        raise InvalidFile(f"RoPE is to turn {n_rot} columns of each head; expected at most {MAX_N_ROT}.")
    frequencies = _frequencies(n_rot, freq_base)
    magnitude = 1.0
    if factors is not None:
        n_ctx_orig = scaling.n_ctx_orig if scaling is not None else n_ctx
        frequencies = frequencies / factors.choose(n_ctx, n_ctx_orig)
    if scaling is not None:
        frequencies = frequencies * _interpolation(n_rot, freq_base, scaling)
        magnitude = _magnitude(scaling)
    if not np.all(np.abs(frequencies) <= _MAX_FREQUENCY):
        raise InvalidFile(f"The RoPE scaling of the file gives {frequencies.max()} radians a position.")
    cos, sin = _turn(frequencies, n_ctx, magnitude)
    return RopeTable(cos, sin, interleaved)


def grow_with_position(table: RopeTable, scale: float, period: int) -> RopeTable:
    """The table times ``1 + scale * ln(1 + floor(position / period))``: it turns queries and lengthens them.

    Every column of a head must be turned, or the others would keep their length.
    """
    growth = position_growth(len(table.cos), scale, period)[:, None]
    cos, sin = ((array * growth).astype(np.float32) for array in (table.cos, table.sin))
    return RopeTable(cos, sin, table.interleaved)


def position_growth(n_ctx: int, scale: float, period: int, offset: int = 0) -> Float64Array:
    """``1 + scale * ln(1 + floor((position + offset) / period))`` of each position: float64 [n_ctx]."""
    runs = range((n_ctx - 1 + offset) // period + 1)
    logs = np.array([_log(run + 1) for run in runs])
    growth: Float64Array = 1.0 + scale * np.repeat(logs, period)[offset : offset + n_ctx]
    return growth


def _frequencies(n_rot: int, freq_base: float) -> Float64Array:
    """``freq_base^(-2i / n_rot)``: float64 [n_rot / 2]."""
    ratio = _DECIMAL.power(Decimal(freq_base), _DECIMAL.divide(Decimal(-2), Decimal(n_rot)))
    powers = [Decimal(1)]
    while len(powers) < n_rot // 2:
        powers.append(_DECIMAL.multiply(powers[-1], ratio))
    return np.array([float(power) for power in powers])


def _interpolation(n_rot: int, freq_base: float, scaling: RopeScaling) -> Float64Array | float:
    """What each frequency is multiplied by.

    Linear scaling slows every pair down alike. YaRN (Peng et al. 2023, section 3.2, "NTK-by-parts") leaves
    the pairs that turn more than `beta_fast` times over the original context as they are, slows those that
    turn less than `beta_slow` times, and blends linearly in between.
    """
    slow = 1.0 / scaling.factor
    if not scaling.ext_factor:
        return slow

    def pair_turning(times: float) -> float:
        turns = scaling.n_ctx_orig / (times * 2 * math.pi)
        return n_rot * _log(turns) / (2 * _log(freq_base))

    low, high = pair_turning(scaling.beta_fast), pair_turning(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(0.0, low), min(n_rot - 1.0, high)
    ramp = (np.arange(n_rot // 2) - low) / max(0.001, high - low)
    kept = (1.0 - np.clip(ramp, 0.0, 1.0)) * scaling.ext_factor
    blend: Float64Array = slow * (1.0 - kept) + kept
    return blend


def _log(x: float) -> float:
    """The natural logarithm, the same on every machine."""
    return float(_DECIMAL.ln(Decimal(x)))


def _magnitude(scaling: RopeScaling) -> float:
    """What cosines and sines are multiplied by: YaRN's softmax temperature, and the file's own factor."""
    temperature = 1.0
    if scaling.ext_factor and scaling.factor > 1:
        log = 0.1 * _log(scaling.factor)
        temperature = (1.0 + log) / (1.0 + log * scaling.log_multiplier)
    return temperature * scaling.attn_factor


def _turn(frequencies: Float64Array, n_ctx: int, magnitude: float) -> tuple[Float32Array, Float32Array]:
    """`magnitude` times the cosines and sines of ``position * frequency``: float32 [n_ctx, n_rot / 2] each.

    The angles of the first run of positions, turned on by the angle at which each other run begins.
    """
    fine_cos, fine_sin, whole_run = _rotations(_cos_sin(frequencies), _RUN)
    run_cos, run_sin, _ = _rotations(whole_run, -(-n_ctx // _RUN))
    fine_cos *= magnitude
    fine_sin *= magnitude
    cos, sin = np.empty((2, n_ctx, len(frequencies)), np.float32)
    a, b = np.empty((2, *fine_cos.shape))
    for c, s, start in zip(run_cos, run_sin, range(0, n_ctx, _RUN), strict=True):
        rows = slice(start, min(start + _RUN, n_ctx))
        n = rows.stop - start
        np.multiply(fine_cos, c, out=a)
        np.multiply(fine_sin, s, out=b)
        np.subtract(a[:n], b[:n], out=cos[rows], casting="same_kind")
        np.multiply(fine_sin, c, out=a)
        np.multiply(fine_cos, s, out=b)
        np.add(a[:n], b[:n], out=sin[rows], casting="same_kind")
    return cos, sin


def _rotations(step: Rotation, n: int) -> tuple[Float64Array, Float64Array, Rotation]:
    """Rotations by 0 to ``n - 1`` steps, cosines and sines [n, n_rot / 2], and by the next power of two of n.

    The rotations known so far, turned on by as many steps, give as many more.
    """
    c, s = step
    cos, sin = np.empty((2, n, len(c)))
    cos[0], sin[0] = 1.0, 0.0
    known = 1
    while known < n:
        more = min(known, n - known)
        cos[known : known + more] = cos[:more] * c - sin[:more] * s
        sin[known : known + more] = sin[:more] * c + cos[:more] * s
        c, s = c * c - s * s, 2.0 * c * s
        known *= 2
    return cos, sin, (c, s)


def _cos_sin(angles: Float64Array) -> Rotation:
    """Cosine and sine by their Taylor series, for angles up to `_MAX_FREQUENCY`."""
    square = angles * angles
    cos, sin = np.ones_like(angles), np.ones_like(angles)
    for n in range(2 * _SERIES_TERMS, 0, -2):
        cos = 1.0 - cos * square / ((n - 1) * n)
        sin = 1.0 - sin * square / (n * (n + 1))
    return cos, sin * angles
