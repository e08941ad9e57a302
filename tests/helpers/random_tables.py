"""All tables of tiny random models."""

from __future__ import annotations

from helpers.alibi_models import ALIBI_MODELS
from helpers.dense_models import DENSE_MODELS
from helpers.expert_models import EXPERT_MODELS
from helpers.kda_models import KDA_MODELS
from helpers.latent_models import LATENT_MODELS
from helpers.later_models import LATER_MODELS
from helpers.mixed_models import MIXED_MODELS
from helpers.more_models import MORE_MODELS
from helpers.recurrent_models import RECURRENT_MODELS
from helpers.rwkv_models import RWKV_MODELS

RANDOM_MODELS = (
    *DENSE_MODELS,
    *LATER_MODELS,
    *ALIBI_MODELS,
    *EXPERT_MODELS,
    *LATENT_MODELS,
    *MIXED_MODELS,
    *RECURRENT_MODELS,
    *RWKV_MODELS,
    *KDA_MODELS,
    *MORE_MODELS,
)
