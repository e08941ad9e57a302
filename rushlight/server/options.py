"""Options of the server: where it listens, who may ask, and how much. Frozen, and validated once."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rushlight.errors import InvalidParameter

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What a server allows.

    Attributes:
        host: the address it listens on.
        port: of TCP; 0 takes a free one.
        model_names: what requests may call the model; the first is told in answers.
        api_keys: one of them must come with a request; empty: none is asked for.
        allow_no_key: serve addresses that others can reach without asking for a key.
        cors_origins: origins whose pages may use the server; ``*`` is all of them.
        allowed_hosts: names that a request's Host header may hold besides the loopback ones; where the server
            listens on another address and none are given, any.
        n_queue: most sequences that wait for their turn; a request beyond that is refused with 429.
        request_seconds: most seconds that a request may take, waiting included.
        drain_seconds: how long running requests may go on when the server is told to stop.
        max_body_bytes: of a request.
        max_schema_bytes: of a JSON schema, a regular expression or a grammar of a request.
        max_choices: most choices (`n`) of one request.
        max_inputs: most prompts, texts to embed or documents of one request.
        log_prompts: write the bodies of requests into the log.

    Raises:
        InvalidParameter: a value outside its range, or an address that others can reach without a key.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    model_names: tuple[str, ...] = ("default",)
    api_keys: tuple[str, ...] = ()
    allow_no_key: bool = False
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    n_queue: int = 256
    request_seconds: float = 600.0
    drain_seconds: float = 30.0
    max_body_bytes: int = 16 * 2**20
    max_schema_bytes: int = 64 * 2**10
    max_choices: int = 16
    max_inputs: int = 256
    log_prompts: bool = False

    def __post_init__(self) -> None:
        if not self.model_names or not all(self.model_names):
            raise InvalidParameter("model_names holds an empty name, or none; give the model a name.")
        if not 0 <= self.port <= 65535:
            raise InvalidParameter(f"port is {self.port}; it must be from 0 to 65535.")
        if not all(self.api_keys) or not all(key.isascii() and key.isprintable() for key in self.api_keys):
            raise InvalidParameter("An API key is empty or holds characters other than printable ASCII.")
        for name, low in (("n_queue", 0), ("max_body_bytes", 1), ("max_choices", 1), ("max_inputs", 1)):
            if getattr(self, name) < low:
                raise InvalidParameter(f"{name} is {getattr(self, name)}; it must be at least {low}.")
        if not self.request_seconds > 0 or not self.drain_seconds >= 0:
            raise InvalidParameter("request_seconds must be more than 0, and drain_seconds at least 0.")
        if not (self.is_loopback or self.api_keys or self.allow_no_key):
            raise InvalidParameter(
                f"The server would listen on {self.host}, which others can reach, without an API key; give "
                "one with --api-key, or say --no-api-key to serve everybody."
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
