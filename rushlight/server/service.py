"""What all endpoints share: the model, the options, the client and the metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from rushlight import __version__
from rushlight.completion import Completion
from rushlight.server.client import Client
from rushlight.server.constraints import check_sizes
from rushlight.server.errors import ApiError
from rushlight.server.metrics import Metrics
from rushlight.server.options import ServerOptions

if TYPE_CHECKING:
    from starlette.requests import Request

    from rushlight.llm import LLM


@dataclass(frozen=True, kw_only=True)
class Service:
    """One served model.

    Attributes:
        llm: the model.
        options: of the server.
        client: asks the model.
        metrics: of the server.
        created: when serving began, in seconds since 1970.
        fingerprint: what answers depend on besides the request: the version.
    """

    llm: LLM
    options: ServerOptions
    client: Client
    metrics: Metrics
    created: int = field(default_factory=lambda: int(time.time()))
    fingerprint: str = f"rushlight-{__version__}"

    def seconds(self, asked: float | None) -> float:
        """How long a request may take that asks for so many seconds."""
        most = self.options.request_seconds
        return most if asked is None else min(asked, most)

    def check_sizes(self, body: Mapping[str, Any], tools: Iterable[Mapping[str, Any]] = ()) -> None:
        """Refuse constraints and tools of a request that are too large; see `constraints.check_sizes`."""
        check_sizes(self.options.max_schema_bytes, body, tools)

    def note(self, request: Request, completions: Sequence[Completion]) -> None:
        """Take a request's completions into its line of the log, and into the metrics."""
        request.scope["state"]["log"].update(
            prompt_tokens=[each.usage.prompt_tokens for each in completions],
            cached_tokens=[each.usage.cached_tokens for each in completions],
            completion_tokens=[each.usage.completion_tokens for each in completions],
            finish_reasons=[each.finish_reason for each in completions],
            first_token_seconds=round(min(each.timings.time_to_first_token for each in completions), 4),
        )
        self.metrics.completions(completions)

    def model_name(self, asked: str | None) -> str:
        """The name of the model that a request asks for.

        Raises:
            ApiError: 404, it is not the one served.
        """
        names = self.options.model_names
        if asked is None or asked in names:
            return asked or names[0]
        raise ApiError(
            404,
            f"There is no model {asked!r:.200} here; this server has {', '.join(names)}.",
            code="model_not_found",
            param="model",
        )


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    return cast(Service, request.app.state.service)
