"""The op set in NumPy. `rushlight.backends.base.Ops` says what each op means; this is that, executed."""

from __future__ import annotations

from rushlight.backends.reference.attention_ops import ReferenceAttentionOps
from rushlight.backends.reference.elementwise_ops import ReferenceElementwiseOps
from rushlight.backends.reference.expert_ops import ReferenceExpertOps
from rushlight.backends.reference.matrix_ops import ReferenceMatrixOps
from rushlight.backends.reference.recurrent_ops import ReferenceRecurrentOps


class ReferenceOps(
    ReferenceMatrixOps,
    ReferenceAttentionOps,
    ReferenceExpertOps,
    ReferenceRecurrentOps,
    ReferenceElementwiseOps,
):
    """One step: the ops of `rushlight.backends.base.Ops`, bound to a batch and the caches."""
