"""One worker process, behind a `ProcessPoolExecutor` of its own.

One executor for all workers would be declared broken, and all its workers ended, when one of them dies. With one
each, the death of a worker costs exactly what ran on it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any

from ..identity import Identity
from ..journal import names
from ..model import Kind, new_process_id
from . import worker
from .exits import describe_exit
from .payload import Reply
from .reaper import watch
from .recorder import Host, ProcessRecord, child_environment
from .spawning import WorkerContext
from .tasks import Task

log = logging.getLogger("tablevault_ext")

_CODE_SECONDS = 5.0  # that the thread which has fetched an exit code may take to write it down, on a busy machine


class Lane:
    """A place where one task at a time runs. Opened with its first task."""

    def __init__(self, host: Host, executor_id: str) -> None:
        self.task: Task | None = None
        self.dead = False
        self.closing = False
        self.process_id = new_process_id()
        self.identity: Identity | None = None
        self._host = host
        self._executor_id = executor_id
        self._context = WorkerContext()
        self._slot: Any = None
        self._engine: ProcessPoolExecutor | None = None
        self._record: ProcessRecord | None = None
        self._noting = threading.Lock()
        self._number = 0

    def run(self, task: Task, done: Callable[[Lane, Task, Future[Reply]], None]) -> None:
        """Hand a task to the worker; ``done`` is called from the engine's thread.

        Raises:
            BrokenProcessPool: the worker died while it was idle.
            OSError: no worker could be started.
        """
        engine = self._engine or self._open()
        self._number = number = self._number + 1
        task.started_in_worker = lambda: self._start_of(number)
        function, args = task.call
        future = engine.submit(function, number, *args)
        if self._record is None:
            self._register()
        future.add_done_callback(lambda future: done(self, task, future))

    def began(self) -> bool:
        """Whether the worker began with the task that it was handed last."""
        return self._start_of(self._number) is not None

    def close(self, patience: float = 0.0) -> bool:
        """Let the worker end when it has finished; True when it was seen to, within ``patience`` seconds."""
        self.closing = True
        if self._engine is None:
            return True
        self._engine.shutdown(wait=False)
        if not patience:
            return False
        process = self._context.process
        if process is not None and not wait([process.sentinel], patience):
            return False
        self._engine.shutdown(wait=True)
        self._gone()
        return True

    def end_now(self) -> None:
        """End the worker and everything that it started, at once."""
        self.closing = True
        if self.identity is not None:
            self._host.end_tree(self.identity, self.process_id, 0.0)
        if self._engine is not None:
            self._engine.shutdown(wait=False, cancel_futures=True)
        if self.identity is not None and self.exit_code() is not None:
            self._gone()

    def exit_code(self) -> int | None:
        """How the worker ended; a signal is negative. None while it runs, or if it is not known."""
        process = self._context.process
        if process is None:
            return None
        # Two threads may ask at once: who comes second sees the code a moment later.
        end = time.monotonic() + _CODE_SECONDS
        while (code := process.exitcode) is None and time.monotonic() < end:
            time.sleep(0.001)
        return code

    def _open(self) -> ProcessPoolExecutor:
        self._slot = self._context.RawArray("q", 2)
        environment = child_environment(self._host.paths, self.process_id)
        self._engine = ProcessPoolExecutor(
            1, mp_context=self._context, initializer=worker.prepare, initargs=(self._slot, environment)
        )
        return self._engine

    def _register(self) -> None:
        process = self._context.process
        if process is None or process.pid is None:
            return
        host = self._host
        identity = Identity.of(process.pid)
        self._record = ProcessRecord(host.paths, self.process_id)
        if identity is not None:
            self.identity = identity
            claim = names.claim_name(host.paths, f"{self._executor_id}.worker", self.process_id, identity, suffix=True)
            self._record.started(
                Kind.WORKER,
                identity,
                name=claim.name,
                claim=claim,
                argv=[],
                cwd=None,
                parent=host.parent(),
                user=host.user(),
            )
        watch(process.sentinel, self._gone)

    def _gone(self) -> None:
        """Note how the worker ended: whoever sees it first, for at exit the reaper's thread may be too late."""
        code = self.exit_code()
        self.dead = True
        error = None if self.closing or code == 0 else f"the worker ended with {describe_exit(code)}"
        if self._record is not None and self.identity is not None:
            with self._noting:
                self._record.ended(code, stopped=self.closing and code != 0, error=error)

    def _start_of(self, number: int) -> int | None:
        slot = self._slot
        return slot[1] if slot is not None and slot[0] == number else None
