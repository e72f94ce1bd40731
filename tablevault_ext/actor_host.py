"""The actors of a recorded process, in the vault: their lives journaled, their state shown, stop and pause to them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .actors import _hooks, whereis
from .actors._events import ActorEvent
from .control.checkpoint import Checkpoints
from .errors import VaultError
from .journal.writer import JournalWriter
from .model import Outcome, Request

_SNAPSHOT_EVERY = 1.0  # seconds
_MOST = 1000  # actors in a snapshot; more are counted


class ActorHost:
    """What this process does for its actors.

    Args:
        journal: the process's own journal, asked for each time.
        snapshot: where the living actors are written once a second, for those who look from outside.
    """

    def __init__(self, journal: Callable[[], JournalWriter], snapshot: Path) -> None:
        self._journal = journal
        self._snapshot = snapshot
        self._next = 0.0
        self._written = False

    def connect(self) -> None:
        _hooks.set_event_sink(self._note)

    def close(self) -> None:
        """The process ends."""
        _hooks.set_event_sink(None)
        self._snapshot.unlink(missing_ok=True)

    def alive(self) -> bool:
        return bool(_hooks.snapshot())

    def all_at_receive(self) -> bool:
        """Every actor stands at a checkpoint."""
        return _hooks.places()[1] == 0

    # Paused and resumed with the process, like child processes

    def suspend(self) -> dict[str, Any]:
        _hooks.pause()
        at_receive, elsewhere = _hooks.places()
        return {"actors": {"at_receive": at_receive, "elsewhere": elsewhere}} if at_receive + elsewhere else {}

    def resume(self) -> dict[str, Any]:
        _hooks.resume()
        return {}

    def stop(self, error: Callable[[], BaseException]) -> None:
        """Raise the stop at every actor's `receive`."""
        _hooks.stop(error)

    def carry_out(self, checkpoints: Checkpoints, request: Request) -> None:
        """End one actor, as a request from outside asks; its receipt follows when it is gone."""
        pid = whereis(request.actor) or request.actor
        try:
            gone = _hooks.stop_actor(pid, reason="shutdown", grace=request.grace)
        except VaultError as error:
            checkpoints.close(request, Outcome.FAILED, note=str(error))
            return

        def report(done: Future[object]) -> None:
            reason = done.exception() or done.result()
            checkpoints.close(request, Outcome.EFFECTIVE, detail={"exit_reason": _words(reason)})

        gone.add_done_callback(report)

    # What is written

    def _note(self, event: ActorEvent) -> None:
        status = {"spawn": "running", "restart": "running", "exit": "failed"}.get(event.kind, "running")
        if event.kind == "exit" and type(event.reason).__name__ in ("CancelledError", "ProcessExit"):
            status = "ended"
        self._journal().append(
            "actor",
            id=event.pid,
            what=event.kind,
            name=event.name,
            parent=event.parent,
            status=status,
            reason=None if event.reason is None else _words(event.reason),
            restarts=event.restarts,
        )

    def write_snapshot(self) -> None:
        """Leave word of the living actors; called by the watching thread."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _SNAPSHOT_EVERY
        actors = _hooks.snapshot()
        if not actors and not self._written:
            return
        self._written = bool(actors)
        content = {"count": len(actors), "actors": [asdict(actor) for actor in actors[:_MOST]]}
        fresh = self._snapshot.with_suffix(".actors-new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(content, file, default=str)
        fresh.rename(self._snapshot)


def _words(reason: object) -> str:
    """An exit reason as text, whatever its author did to its methods."""
    if isinstance(reason, BaseException):
        try:
            return f"{type(reason).__name__}: {reason}".removesuffix(": ")
        except Exception:
            return type(reason).__name__
    return reason if isinstance(reason, str) else type(reason).__name__
