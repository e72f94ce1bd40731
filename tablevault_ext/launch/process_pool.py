"""A pool of worker processes: spawned, served one task at a time each, replaced when they die."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..identity import Identity
from . import worker
from .errors import ExecutorClosed, LaunchError
from .exits import describe_exit
from .lane import Lane
from .payload import Reply, name_of, pack_call, pack_data, pack_function
from .pools import RETRIES
from .reaper import look_later
from .recorder import Host
from .task_rows import TaskRows
from .tasks import SLICE, Task

log = logging.getLogger("tablevault_ext")


class ProcessPool:
    """Workers that are started when they are needed, up to ``max_workers``.

    No lock is held while a task or an engine is called: their callbacks come back in here.
    """

    kind = "process"

    def __init__(self, host: Host, executor_id: str, max_workers: int | None = None) -> None:
        self.executor_id = executor_id
        self.max_workers = max_workers or os.cpu_count() or 1
        self._host = host
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pending: deque[Task] = deque()
        self._lanes: list[Lane] = []
        self._closed = False
        self._looking = False
        self._rows = TaskRows(host)

    @property
    def closed(self) -> bool:
        return self._closed

    def submit(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        task_id: str | None = None,
        idempotent: bool = False,
    ) -> Task:
        self._refuse_if_closed()
        call = (worker.run_call, (pack_call(function, args, kwargs),))
        return self._take(self._task(function, call, task_id=task_id, idempotent=idempotent))

    def prepare(self, function: Callable[..., Any]) -> Any:
        return pack_function(function)

    def submit_chunk(
        self,
        function: Callable[..., Any],
        prepared: Any,
        items: list[tuple[Any, ...]],
        *,
        seconds: float = math.inf,
        idempotent: bool = False,
    ) -> Task:
        self._refuse_if_closed()
        call = (worker.run_chunk, (prepared, pack_data(items, f"the arguments of {name_of(function)}"), seconds))
        return self._take(self._task(function, call, items=len(items), idempotent=idempotent))

    def shutdown(self, *, wait: bool = True, cancel_pending: bool = False) -> None:
        with self._lock:
            self._closed = True
            waiting = list(self._pending) if cancel_pending else []
        for task in waiting:
            task.cancel()
        self._dispatch()  # drops the cancelled ones, and ends the workers if nothing is left to do
        if not wait:
            return
        while True:
            with self._lock:
                if self._is_drained():
                    break
                self._changed.wait(SLICE)
            self._host.checkpoint()
        for lane in list(self._lanes):
            while not lane.close(SLICE):
                self._host.checkpoint()
        self._rows.write()

    def end_now(self) -> None:
        with self._lock:
            self._closed = True
            waiting = list(self._pending)
            self._pending.clear()
            lanes = list(self._lanes)
        for task in waiting:
            task.cancel()
        for lane in lanes:
            lane.end_now()
        self._rows.write()

    def workers(self) -> list[Identity]:
        return [lane.identity for lane in list(self._lanes) if lane.identity is not None and not lane.dead]

    def counts(self) -> dict[str, int]:
        with self._lock:
            return {
                "pending": sum(1 for task in self._pending if not task.done()),
                "running": sum(1 for lane in self._lanes if lane.task is not None),
            }

    # Taking in

    def _task(self, function: Callable[..., Any], call: Any, **options: Any) -> Task:
        return Task(
            self._host,
            function=name_of(function),
            executor_id=self.executor_id,
            kind=self.kind,
            call=call,
            tell=self._rows.changed,
            **options,
        )

    def _take(self, task: Task) -> Task:
        with self._lock:
            if not (closed := self._closed):
                self._pending.append(task)
        if closed:
            self._refuse_if_closed()
        self._dispatch()
        self._rows.taken(task)
        if not self._looking:
            self._looking = True
            look_later(self._look)
        return task

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ExecutorClosed(
                f"the process pool {self.executor_id} was shut down and takes no more tasks; "
                "make another one with create_process_pool()"
            )

    # Handing out

    def _dispatch(self) -> None:
        """Hand waiting tasks to free workers."""
        while self._pending and (pair := self._pair()) is not None:
            lane, task = pair
            if not task.begin():
                self._free(lane)
                continue
            try:
                lane.run(task, self._done)
            except BrokenProcessPool:
                self._retire(lane, task)  # its worker died while it had nothing to do; the task never reached it
            except (RuntimeError, OSError) as error:  # out of processes or memory, or this interpreter is going
                self._bury(lane)
                task.fail(LaunchError(f"{task.function} was not run: no worker could be started: {error}"))
                self._rows.changed(task)
            except BaseException:
                # Interrupted half-way: whether the task is on its way is not known, unless the worker says so.
                began = lane.began()
                lane.end_now()
                if began:
                    self._bury(lane)
                    task.lose(f"{task.function} was interrupted while it was handed to a worker")
                else:
                    self._retire(lane, task)
                look_later(self._dispatch, 0.0)
                raise
        if self._closed:
            with self._lock:
                self._changed.notify_all()
            self._close_idle()

    def _pair(self) -> tuple[Lane, Task] | None:
        """A waiting task and the worker that is to run it, who belong together from now on."""
        with self._lock:
            while self._pending and self._pending[0].cancelled():
                self._pending.popleft()
            lane = self._free_lane() if self._pending else None
            if lane is None:
                return None
            lane.task = task = self._pending.popleft()
            return lane, task

    def _free_lane(self) -> Lane | None:
        for lane in self._lanes:
            if lane.task is None and not lane.dead:
                return lane
        self._lanes = [lane for lane in self._lanes if lane.task is not None]
        if len(self._lanes) >= self.max_workers:
            return None
        lane = Lane(self._host, self.executor_id)
        self._lanes.append(lane)
        return lane

    def _free(self, lane: Lane) -> None:
        with self._lock:
            lane.task = None
            self._changed.notify_all()

    def _bury(self, lane: Lane) -> None:
        lane.dead = True
        self._free(lane)

    def _retire(self, lane: Lane, task: Task) -> None:
        """Give a task back that its worker never began with."""
        with self._lock:
            self._pending.appendleft(task)
        self._bury(lane)

    def _close_idle(self) -> None:
        with self._lock:
            idle = [lane for lane in self._lanes if lane.task is None and not lane.closing] if not self._pending else []
            for lane in idle:
                lane.closing = True
        for lane in idle:
            lane.close()

    def _is_drained(self) -> bool:
        return not self._pending and all(lane.task is None for lane in self._lanes)

    # Coming back, in the engine's thread

    def _done(self, lane: Lane, task: Task, future: Future[Reply]) -> None:
        try:
            reply = future.result(timeout=0)
        except (BrokenProcessPool, CancelledError):
            self._worker_lost(lane, task)
        except Exception as error:
            self._free(lane)
            task.fail(error)
        else:
            self._free(lane)
            task.finish(reply, lane.process_id)
        self._rows.changed(task)
        if self._pending or self._closed:
            self._dispatch()

    def _worker_lost(self, lane: Lane, task: Task) -> None:
        ending = describe_exit(lane.exit_code())
        pid = lane.identity.pid if lane.identity else "?"
        again = "; run it again if that does no harm, or declare such tasks with idempotent=True"
        if lane.closing:
            self._bury(lane)
            task.lose(f"{task.function} was lost: its pool was ended while it ran (worker {pid})", lane.process_id)
        elif not lane.began() and task.bounced < RETRIES:
            task.bounced += 1
            self._retire(lane, task)
        elif not lane.began():
            self._bury(lane)
            task.fail(
                LaunchError(
                    f"{task.function} was not run: {RETRIES + 1} workers in a row ended with {ending} "
                    "before they could begin; look at their standard error"
                )
            )
        elif task.idempotent and task.attempt <= RETRIES:
            log.warning("%s is run again: its worker %s ended with %s", task.function, pid, ending)
            task.attempt += 1
            task.forget_start()
            self._retire(lane, task)
        else:
            self._bury(lane)
            message = f"{task.function} was lost: its worker {pid} ended with {ending} while it ran"
            task.lose(message + ("" if task.idempotent else again), lane.process_id)

    # Looking

    def _look(self) -> None:
        """Note in the vault what has been running for more than a moment."""
        with self._lock:
            running = [lane.task for lane in self._lanes if lane.task is not None]
            self._looking = bool(running or self._pending)
        for task in running:
            self._rows.changed(task)
        if self._looking:
            look_later(self._look)
