"""A pool of threads, for work that waits more than it computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..identity import Identity
from ..model import now_us
from .errors import ExecutorClosed
from .payload import name_of
from .recorder import Host
from .task_rows import TaskRows
from .tasks import SLICE, Task
from .worker import call_for_a_while


class ThreadPool:
    """Threads of this process. What they run cannot be ended from outside, only waited for."""

    kind = "thread"

    def __init__(self, host: Host, executor_id: str, max_workers: int | None = None) -> None:
        self.executor_id = executor_id
        self._engine = ThreadPoolExecutor(max_workers, thread_name_prefix=executor_id)
        self.max_workers: int = self._engine._max_workers
        self._host = host
        self._closed = False
        self._tasks: dict[Task, None] = {}
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
        return self._take(function, lambda: function(*args, **kwargs), task_id=task_id, idempotent=idempotent)

    def prepare(self, function: Callable[..., Any]) -> Any:
        return function

    def submit_chunk(
        self,
        function: Callable[..., Any],
        prepared: Any,
        items: list[tuple[Any, ...]],
        *,
        seconds: float = math.inf,
        idempotent: bool = False,
    ) -> Task:
        return self._take(
            function,
            lambda: call_for_a_while(function, items, seconds),
            items=len(items),
            idempotent=idempotent,
        )

    def shutdown(self, *, wait: bool = True, cancel_pending: bool = False) -> None:
        self._closed = True
        if cancel_pending:
            for task in list(self._tasks):
                task.cancel()
        self._engine.shutdown(wait=False)
        while wait and futures.wait(list(self._tasks), timeout=SLICE).not_done:
            self._host.checkpoint()
        self._rows.write()

    def end_now(self) -> None:
        self.shutdown(wait=False, cancel_pending=True)

    def workers(self) -> list[Identity]:
        return []

    def counts(self) -> dict[str, int]:
        tasks = list(self._tasks)
        return {
            "pending": sum(1 for task in tasks if not task.running() and not task.done()),
            "running": sum(1 for task in tasks if task.running()),
        }

    def _take(self, function: Callable[..., Any], call: Callable[[], Any], **options: Any) -> Task:
        if self._closed:
            raise self._refusal()
        task = Task(
            self._host,
            function=name_of(function),
            executor_id=self.executor_id,
            kind=self.kind,
            call=(call, ()),
            tell=self._rows.changed,
            **options,
        )
        self._tasks[task] = None
        try:
            self._engine.submit(self._run, task)
        except RuntimeError:  # shut down meanwhile, or the interpreter is going
            self._tasks.pop(task, None)
            raise self._refusal() from None
        self._rows.taken(task)
        self._rows.write()  # at once: what takes this process down may be the task
        return task

    def _refusal(self) -> ExecutorClosed:
        return ExecutorClosed(
            f"the thread pool {self.executor_id} was shut down and takes no more tasks; "
            "make another one with create_thread_pool()"
        )

    def _run(self, task: Task) -> None:
        try:
            if not task.begin():
                return
            task.started_at = now_us()
            try:
                value = task.call[0]()
            except BaseException as error:
                task.fail(error)
            else:
                task.finish(("value", value, task.started_at, now_us(), len(value) if task.items else None))
            self._rows.changed(task)
        finally:
            self._tasks.pop(task, None)
