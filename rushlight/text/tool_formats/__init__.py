"""The wire formats of tool calls, one small file each, and which of them a chat template speaks."""

from __future__ import annotations

from rushlight.text.tool_formats.apertus import APERTUS
from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat
from rushlight.text.tool_formats.deepseek import DEEPSEEK, DEEPSEEK_R1
from rushlight.text.tool_formats.dsml import DEEPSEEK_V3_2, DEEPSEEK_V4
from rushlight.text.tool_formats.functionary import FUNCTIONARY
from rushlight.text.tool_formats.gemma import FUNCTION_GEMMA, GEMMA4
from rushlight.text.tool_formats.gigachat import GIGACHAT
from rushlight.text.tool_formats.glm import GLM
from rushlight.text.tool_formats.hy3 import HY3
from rushlight.text.tool_formats.json_blocks import APRIEL, COHERE, GRANITE, HERMES, NEMOTRON, PHI4
from rushlight.text.tool_formats.kimi_k2 import KIMI_K2
from rushlight.text.tool_formats.kimi_k3 import KIMI_K3
from rushlight.text.tool_formats.lfm2 import LFM2
from rushlight.text.tool_formats.llama3 import LLAMA3
from rushlight.text.tool_formats.minicpm5 import MINICPM5
from rushlight.text.tool_formats.minimax_m1 import MINIMAX_M1
from rushlight.text.tool_formats.minimax_m2 import MINIMAX_M2
from rushlight.text.tool_formats.minimax_m3 import MINIMAX_M3
from rushlight.text.tool_formats.mistral import MISTRAL, MISTRAL_JSON
from rushlight.text.tool_formats.qwen3_coder import QWEN3_CODER, SEED_OSS
from rushlight.text.tool_formats.solar import SOLAR

__all__ = ["TOOL_FORMATS", "Call", "Schemas", "ToolFormat", "tool_format_of"]

# The first whose texts are all in a template is taken, so what says more stands before what says less.
TOOL_FORMATS: tuple[ToolFormat, ...] = (
    QWEN3_CODER,
    SEED_OSS,
    GLM,
    APRIEL,
    MINIMAX_M3,
    HERMES,
    LLAMA3,
    MISTRAL,
    MISTRAL_JSON,
    GEMMA4,
    FUNCTION_GEMMA,
    DEEPSEEK_V3_2,
    DEEPSEEK_V4,
    DEEPSEEK_R1,
    DEEPSEEK,
    KIMI_K2,
    KIMI_K3,
    MINIMAX_M1,
    MINIMAX_M2,
    HY3,
    GIGACHAT,
    MINICPM5,
    APERTUS,
    FUNCTIONARY,
    SOLAR,
    LFM2,
    NEMOTRON,
    COHERE,
    PHI4,
    GRANITE,
)


def tool_format_of(template: str) -> ToolFormat | None:
    """The format that a chat template speaks, None if it is none of `TOOL_FORMATS`.

    Args:
        template: the source of the template.
    """
    return next((each for each in TOOL_FORMATS if all(text in template for text in each.template)), None)
