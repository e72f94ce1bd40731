"""Requests made through the server: written at once, carried out in the background where that takes time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from ..control.ask import ask
from ..control.explain import explain
from ..errors import UnknownProcess
from ..journal.process_state import ProcessReader, read_process
from ..model import Action, Request
from ..panel.board import Board
from ..panel.entry import Entry
from ..panel.stored import process_of_request
from ..panel.wire import Json, request_json
from ..paths import VaultPaths


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for. ``grace`` seconds."""

    action: Action
    now: bool
    keep_kernel: bool
    grace: float
    escalate: bool
    reason: str
    by: str


class Asker:
    """Makes requests. One *now* may take until its grace is over; the answer does not wait for that.

    Args:
        pool: where requests are carried out.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._running: dict[tuple[str, Action], tuple[Future[Request], str]] = {}

    def ask(self, paths: VaultPaths, process_id: str, wish: Wish) -> tuple[Request, bool]:
        """Ask, and return as soon as the request stands; with whether it is one that stood already.

        Raises:
            ProcessEnded, WrongState, NoControl, BadArgument: nothing was requested.
        """
        reader = ProcessReader(paths, process_id)
        before = set(reader.read().requests)
        running = self._same_running(process_id, wish)
        if running is not None and running in before:
            return reader.read().requests[running], True
        future = self._pool.submit(
            ask,
            paths,
            process_id,
            wish.action,
            now=wish.now,
            by=wish.by,
            reason=wish.reason,
            keep_kernel=wish.keep_kernel,
            grace=wish.grace,
            escalate=wish.escalate,
        )
        request = self._first_sight(reader, before, wish, future)
        if not future.done():
            with self._lock:
                self._running[process_id, wish.action] = (future, request.request_id)
        return request, request.request_id in before

    def _same_running(self, process_id: str, wish: Wish) -> str | None:
        with self._lock:
            future, request_id = self._running.get((process_id, wish.action), (None, ""))
            return request_id if wish.now and future is not None and not future.done() else None

    def _first_sight(self, reader: ProcessReader, before: set[str], wish: Wish, future: Future[Request]) -> Request:
        """The request as soon as its line is written, or what became of the asking."""
        pause = 0.002
        while not future.done():
            for request in reader.read().requests.values():
                if request.request_id not in before and request.action is wish.action and request.now:
                    return request
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return future.result()


def read_requests(paths: VaultPaths, entry: Entry) -> list[Json]:
    """All requests ever made to a process, latest first."""
    process = explain(paths, read_process(paths, entry.process_id))
    newest = sorted(process.requests.values(), key=lambda request: request.requested_at, reverse=True)
    return [request_json(request, entry.facts.places.get(request.request_id)) for request in newest]


def find_request(board: Board, request_id: str) -> tuple[Request, Entry]:
    """A request as it stands now, and the process that it was made to.

    Raises:
        UnknownProcess: there is no such request.
    """
    process_id = board.find_request(request_id) or process_of_request(board.paths, request_id)
    if process_id is not None:
        entry = board.entry(process_id)
        request = entry.process.requests.get(request_id)
        if request is not None:
            explain(board.paths, entry.process)
            return request, entry
    raise UnknownRequest(request_id)


class UnknownRequest(UnknownProcess):
    """No process of this vault was asked that."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.args = (f"no request {request_id[:80]!r} in this vault",)

    def __str__(self) -> str:
        return str(self.args[0])
