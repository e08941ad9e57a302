"""Asking a server what a plan says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from rushlight.bench.serve.api import Api
from rushlight.bench.serve.plan import LoadPlan, LoadRequest
from rushlight.bench.serve.reply import Reply, ask
from rushlight.bench.serve.result import LoadResult
from rushlight.errors import ServerFailure
from rushlight.progress import Progress


def run_load(
    url: str,
    plan: LoadPlan,
    *,
    model: str | None = None,
    key: str | None = None,
    progress: Progress | None = None,
) -> LoadResult:
    """Load a server.

    Args:
        url: where it listens.
        plan: what to ask.
        model: its name on the server; None: the first that the server tells.
        key: of the server's API.
        progress: called with the number of replies.

    Raises:
        InvalidParameter: that is no URL.
        ServerFailure: the server is not reached or tells no model.
    """
    api = Api(url, key=key, timeout=plan.timeout)
    try:
        models = api.models()
    except ServerFailure as error:
        raise ServerFailure(f"The server at {url} cannot be asked: {error}.") from error
    if model is None and not models:
        raise ServerFailure(f"The server at {url} tells no model; name one with --model.")
    return _Load(api, plan, model or models[0], progress).run(url)


class _Load:
    """A load that is under way: threads that take the next request each, when it is due."""

    def __init__(self, api: Api, plan: LoadPlan, model: str, progress: Progress | None) -> None:
        self._api, self._plan, self._model, self._progress = api, plan, model, progress
        self._lock = threading.Lock()
        self._replies: dict[int, Reply] = {}

    def run(self, url: str) -> LoadResult:
        requests = enumerate(self._plan.requests())
        started = time.perf_counter()
        # Daemons, so that an interrupt ends the process at once.
        threads = [
            threading.Thread(target=self._work, args=(requests, started), daemon=True)
            for _ in range(self._plan.n_in_flight)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        replies = [self._replies[i] for i in range(self._plan.n_requests)]
        return LoadResult(url, self._model, self._plan, replies, max(r.last for r in replies) - started)

    def _work(self, requests: Iterator[tuple[int, LoadRequest]], started: float) -> None:
        while True:
            with self._lock:
                i, request = next(requests, (-1, None))
            if request is None:
                return
            due = started + request.due if self._plan.rate is not None else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            reply = ask(self._api, self._plan.path, self._plan.body(request, self._model), due)
            with self._lock:
                self._replies[i] = reply
                if self._progress is not None:
                    self._progress("Loading the server", len(self._replies), self._plan.n_requests)
