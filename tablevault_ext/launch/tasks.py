"""One task: a call that was submitted to a pool, and what became of it."""

from __future__ import annotations

import itertools
import os
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from enum import StrEnum
from typing import Any

from ..model import now_us
from .callbacks import call_soon
from .errors import NotPicklable, TaskCancelled, TaskLost, TaskTimeout
from .payload import Reply, open_reply, words_of
from .recorder import Host

SLICE = 0.1
"""Seconds between the automatic checkpoints of a call that waits."""


class TaskStatus(StrEnum):
    """What a task is doing: as observed, a task that waits for its worker to start is pending."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        return self not in (TaskStatus.PENDING, TaskStatus.RUNNING)


_series = secrets.token_hex(4)
_numbers = itertools.count(1)


def new_task_id() -> str:
    return f"task-{_series}-{next(_numbers)}"


def _new_series_after_fork() -> None:
    global _series
    _series = secrets.token_hex(4)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_series_after_fork)


class Task(Future[Any]):
    """A handle like a `concurrent.futures.Future`, and awaitable.

    ``wait``, ``as_completed`` and `asyncio.wrap_future` of the standard library take it.
    """

    def __init__(
        self,
        host: Host,
        *,
        function: str,
        executor_id: str,
        kind: str,
        call: tuple[Callable[..., Any], tuple[Any, ...]],
        tell: Callable[[Task], None],
        task_id: str | None = None,
        items: int | None = None,
        idempotent: bool = False,
    ) -> None:
        super().__init__()
        self.task_id = task_id or new_task_id()
        self.function = function
        self.executor_id = executor_id
        self.kind = kind
        self.items = items
        self.idempotent = idempotent
        self.attempt = 1
        self.bounced = 0
        self.call = call
        self.tell = tell
        self.worker: str | None = None
        self.submitted_at = now_us()
        self.started_at: int | None = None
        self.ended_at: int | None = None
        self.collected = False
        self.started_in_worker: Callable[[], int | None] = _not_yet
        self._host = host
        self._lost = False
        self._reply: tuple[str, Any] | None = None
        self._opening = threading.Lock()
        parent = host.parent()
        self.cell_seq = parent[1] if parent else None
        self.words: dict[str, Any] = {}
        self.told: TaskStatus | None = None

    # What users ask

    @property
    def status(self) -> TaskStatus:
        """Its state as it can be observed now."""
        if self.cancelled():
            return TaskStatus.CANCELLED
        if not self.done():
            return TaskStatus.RUNNING if self.running() and self.seen_start() else TaskStatus.PENDING
        if self._lost:
            return TaskStatus.LOST
        kind = self._reply[0] if self._reply is not None else ""
        if kind in ("error", "unpicklable") or super().exception(timeout=0) is not None:
            return TaskStatus.FAILED
        return TaskStatus.DONE

    def seen_start(self) -> int | None:
        """When it began to run (µs since the epoch), or None if it has not been seen to."""
        if self.started_at is None:
            self.started_at = self.started_in_worker()
        return self.started_at

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result and return it, or raise the task's error with the worker's traceback.

        Args:
            timeout: seconds; None waits for ever. An automatic checkpoint passes every 0.1 s meanwhile.

        Raises:
            TaskTimeout: it was not ready in time; the task goes on.
            TaskLost: its worker is gone.
            TaskCancelled: it was cancelled.
        """
        self._wait(timeout)
        self._open()
        return super().result(timeout=0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for its end; the error that it raised, or None."""
        self._wait(timeout)
        self._open()
        return super().exception(timeout=0)

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Call ``fn(task)`` in the callbacks' thread when the task is over."""
        super().add_done_callback(lambda task: call_soon(fn, task))

    def __await__(self) -> Generator[Any, None, Any]:
        import asyncio

        return asyncio.wrap_future(self).__await__()

    def __repr__(self) -> str:
        return f"<Task {self.task_id} {self.function} {self.status}>"

    def to_dict(self) -> dict[str, Any]:
        """What `get_task_status` gives. Times are seconds since the epoch, the duration seconds."""
        status = self.status
        started, ended = self.seen_start(), self.ended_at
        words: dict[str, Any] = {
            "task_id": self.task_id,
            "status": status.value,
            "function": self.function,
            "executor_id": self.executor_id,
            "worker": self.worker,
            "attempt": self.attempt,
            "submitted_at": _seconds(self.submitted_at),
            "started_at": _seconds(started),
            "ended_at": _seconds(ended),
            "duration": None if started is None else ((ended or now_us()) - started) / 1e6,
            "error": None,
        }
        if status in (TaskStatus.FAILED, TaskStatus.LOST):
            error = self.exception()
            words["error"] = f"{type(error).__name__}: {error}"
        return words

    # What pools tell

    def begin(self) -> bool:
        """Its turn has come; False when it was cancelled meanwhile."""
        with self._condition:
            if self._state == "PENDING":
                return self.set_running_or_notify_cancel()
            return self._state == "RUNNING"  # it comes back from a worker that never began with it

    def finish(self, reply: Reply, worker: str | None = None) -> None:
        """A worker has answered."""
        kind, content, self.started_at, self.ended_at, items = reply
        self.items = items or self.items
        self.worker, self.call, self.started_in_worker = worker, _NOTHING, _not_yet
        if kind == "error":
            self.words = {"error": f"{content[1]}: {content[2]}", "traceback": content[3]}
        elif kind == "unpicklable":
            self.words = {"error": f"{NotPicklable.__name__}: {content}"}
        self._reply = (kind, content)
        self.set_result(None)

    def lose(self, message: str, worker: str | None = None) -> None:
        """Its worker is gone."""
        self.seen_start()
        self.worker, self._lost = worker, True
        self.fail(TaskLost(message))

    def fail(self, error: BaseException) -> None:
        """It ended with an error that arose here."""
        self.ended_at, self.call = now_us(), _NOTHING
        self.words = {"error": f"{type(error).__name__}: {words_of(error)}"}
        if error.__traceback__ is not None:
            self.words["traceback"] = "".join(traceback.format_exception(error))
        self.set_exception(error)

    def cancel(self) -> bool:
        """Cancel it if it has not been handed to a worker; False otherwise, and when it was cancelled before."""
        with self._condition:
            if self.cancelled():
                return False
            # Callbacks go to a thread of their own (add_done_callback), so none of the user's runs in here.
            if not super().cancel():
                return False
            self.set_running_or_notify_cancel()  # whoever waits is told now, not when its turn would have come
        self.ended_at, self.call = now_us(), _NOTHING
        self.tell(self)
        return True

    def forget_start(self) -> None:
        """It is about to run again from its beginning."""
        self.started_at, self.started_in_worker = None, _not_yet

    # Waiting

    def _wait(self, timeout: float | None) -> None:
        """Wait in slices, so that a stop or a pause of this process is heard."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = SLICE if end is None else min(SLICE, end - time.monotonic())
            try:
                super().exception(timeout=max(left, 0.0))
                return
            except CancelledError:
                raise TaskCancelled(f"{self.function} ({self.task_id}) was cancelled before it started") from None
            except TimeoutError:
                pass
            if end is not None and time.monotonic() >= end:
                raise TaskTimeout(
                    f"{self.function} ({self.task_id}) is {self.status} after {timeout:g} s and goes on; "
                    "ask again, with a longer timeout"
                )
            self._host.checkpoint()

    def _open(self) -> None:
        """Unpickle the reply, once, in the thread that wants it."""
        self.collected = True
        if self._reply is None or self._lost:
            return
        with self._opening:
            if self._reply[0] == "opened":
                return
            try:
                self._result = open_reply(*self._reply, self.function)
            except BaseException as error:
                self._exception = error.with_traceback(None)
            self._reply = ("opened", None)


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def _not_yet() -> None:
    return None


_NOTHING: tuple[Callable[..., Any], tuple[Any, ...]] = (_not_yet, ())  # a task that is over lets its arguments go
