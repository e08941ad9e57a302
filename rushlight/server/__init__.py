"""The HTTP server: what OpenAI's and Anthropic's clients speak, on one engine, in one process.

`create_app` makes the ASGI application of a loaded model. A request goes through `guard` (who may ask),
`body` and `schemas` (what was asked), an endpoint's file, and `client`, which hands it to the engine's thread
and brings the answer back to the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rushlight.server.app import create_app
    from rushlight.server.options import ServerOptions

__all__ = ["ServerOptions", "create_app"]

_HOMES = {"create_app": "rushlight.server.app", "ServerOptions": "rushlight.server.options"}


def __getattr__(name: str) -> Any:
    """Import the public names at first use: options are needed where no web framework is."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rushlight.server' has no attribute {name!r}")
