"""The description that the server gives of itself: requests made from it never make the server fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from running import TINY, RunningServer, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        negative_data_rejection,
        response_schema_conformance,
        status_code_conformance,
    )

CHECKS: list[Callable[..., object]] = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
MODES = {
    "good": (schemathesis.GenerationMode.POSITIVE, CHECKS),
    "bad": (schemathesis.GenerationMode.NEGATIVE, [*CHECKS, negative_data_rejection]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with serving(TINY / "llama-mix.gguf") as server:
        yield server


@pytest.mark.parametrize("mode", MODES)
def test_requests_made_from_the_description_never_make_it_fail(server: RunningServer, mode: str) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    n_cases = sum(check_operation(result.ok(), mode) for result in schema.get_all_operations())
    assert n_cases >= 100


def check_operation(operation: Any, mode: str) -> int:
    """Send requests to one endpoint; how many."""
    generation, checks = MODES[mode]
    if mode == "bad" and operation.method == "get":
        return 0
    n_cases = 0

    @hypothesis.seed(20261124)
    @hypothesis.settings(
        max_examples=14, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=generation))
    def check(case: schemathesis.Case) -> None:
        nonlocal n_cases
        n_cases += 1
        if mode == "good" and isinstance(case.body, dict):
            case.body.pop("timeout", None)  # a short one is answered with 504, and rightly so
        case.call_and_validate(checks=checks)

    check()
    return n_cases
