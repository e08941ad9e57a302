"""Many clients at once that know every answer, and of which some go away in the middle of it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.load_requests import KnownRequest
from rushlight.bench.serve.api import Api
from rushlight.bench.serve.reply import Reply, ask, text_of
from rushlight.errors import ServerFailure

_PATIENCE = 120.0  # seconds without a word, after which a request is lost
_SHOWN = 5  # failures of a kind that are told in full


@dataclass
class Findings:
    """What the clients saw.

    Attributes:
        replies: whole answers.
        counts: of "equal", "different", "failed" and "left" (answers that a client did not wait for).
        told: the first failures, in words.
    """

    replies: list[Reply] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)


class Clients:
    """Threads that ask at random until a moment.

    Args:
        url: of the server.
        known: requests with their answers.
        n_clients: how many ask at once.
        leaves: the part of the requests whose client goes away before the end.
        seed: of what is drawn.
    """

    def __init__(
        self, url: str, known: Sequence[KnownRequest], *, n_clients: int, leaves: float, seed: int
    ) -> None:
        self._url, self._known, self._leaves = url, known, leaves
        self._api = Api(url, timeout=_PATIENCE)
        self._lock = threading.Lock()
        self._end = 0.0
        self.findings = Findings()
        self._threads = [
            threading.Thread(target=self._work, args=(random.Random(f"{seed} {i}"),), daemon=True)
            for i in range(n_clients)
        ]

    def start(self, seconds: float) -> None:
        """Begin; no request begins after these seconds, and those that run are waited for."""
        self._end = time.monotonic() + seconds
        for thread in self._threads:
            thread.start()

    def join(self) -> Findings:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join()
        return self.findings

    def _work(self, draw: random.Random) -> None:
        while time.monotonic() < self._end:
            request = draw.choice(self._known)
            if draw.random() < self._leaves:
                # Some go away while they wait for their first word, the others at any later one.
                seconds = draw.uniform(0.01, 0.5) if draw.random() < 0.3 else _PATIENCE
                self._leave(request, draw.randint(1, max(1, request.alone.n_answer)), seconds)
            else:
                self._compare(request, ask(self._api, request.path, request.body))

    def _compare(self, request: KnownRequest, reply: Reply) -> None:
        alone = request.alone
        if reply.error is not None:
            return self._take("failed", f"{request.path} failed: {reply.error}")
        same = (reply.text, reply.finish_reason, reply.n_prompt, reply.n_answer)
        if same == (alone.text, alone.finish_reason, alone.n_prompt, alone.n_answer):
            return self._take("equal", reply=reply)
        self._take("different", f"seed {request.body['seed']}: {reply.text!r}, alone {alone.text!r}", reply)

    def _leave(self, request: KnownRequest, n_events: int, seconds: float) -> None:
        """Go away after some events, or when nothing comes for a while.

        What came until then must be the beginning of the answer.
        """
        events = Api(self._url, timeout=seconds).stream(request.path, request.body)
        text = ""
        try:
            for _, (_, event) in zip(range(n_events), events, strict=False):
                text += "".join(text_of(choice) for choice in event.get("choices") or ())
        except ServerFailure as failure:
            if seconds == _PATIENCE:
                return self._take("failed", f"{request.path} failed: {failure}")
        finally:
            events.close()
        if request.alone.text.startswith(text):
            return self._take("left")
        self._take("different", f"seed {request.body['seed']}: began {text!r}, alone {request.alone.text!r}")

    def _take(self, kind: str, told: str | None = None, reply: Reply | None = None) -> None:
        with self._lock:
            self.findings.counts[kind] += 1
            if reply is not None:
                self.findings.replies.append(reply)
            if told is not None and self.findings.counts[kind] <= _SHOWN:
                self.findings.told.append(told)
