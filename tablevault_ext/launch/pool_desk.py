"""The documented functions about pools and tasks, and the handle of a pool."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from ..errors import BadArgument
from ..identity import Identity
from .arguments import check_count, check_function, check_id, check_timeout
from .errors import ExecutorClosed, UnknownId
from .mapping import run_map
from .pools import Pool, new_executor_id
from .process_pool import ProcessPool
from .recorder import Host
from .tasks import Task
from .thread_pool import ThreadPool

log = logging.getLogger("tablevault_ext")

_REMEMBERED = 100_000
"""Tasks whose results were fetched are remembered up to this many; others as long as the process lives."""

_ENGINES: dict[str, Callable[[Host, str, int | None], Pool]] = {"process": ProcessPool, "thread": ThreadPool}


class PoolDesk:
    """Pools and tasks of this process. Source: PyProcessor's document on its process manager.

    No lock is held while a pool is called: what a pool calls back may come in here again.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._pools: dict[str, Pool] = {}
        self._closed: set[str] = set()
        self._tasks: dict[str, Task] = {}
        self._fetched: deque[str] = deque()
        self._naming = threading.Lock()

    # Pools

    def create_process_pool(self, max_workers: int | None = None, executor_id: str | None = None) -> str:
        """Make a pool of worker processes and return its id; a worker is started when there is work for it.

        Args:
            max_workers: as many as there are processors when None.
            executor_id: an id of one's own.
        """
        return self._create_pool("process", max_workers, executor_id)

    def create_thread_pool(self, max_workers: int | None = None, executor_id: str | None = None) -> str:
        """Make a pool of threads, for work that waits more than it computes, and return its id."""
        return self._create_pool("thread", max_workers, executor_id)

    def get_default_process_pool(self) -> str:
        """The id of the pool that takes tasks without ``executor_id``; made when needed."""
        return self._default_pool("process")

    def get_default_thread_pool(self) -> str:
        """The id of the default thread pool; made when needed."""
        return self._default_pool("thread")

    def process_pool(self, max_workers: int | None = None) -> PoolHandle:
        """A process pool as an object; leaving its ``with`` block waits for its tasks and shuts it down.

        >>> with process_pool(2) as pool:
        ...     pool.submit(pow, 2, 10).result(), pool.map(abs, [-1, -2])
        (1024, [1, 2])
        """
        return PoolHandle(self, self.create_process_pool(max_workers))

    def thread_pool(self, max_workers: int | None = None) -> PoolHandle:
        """A thread pool as an object, used like `process_pool`."""
        return PoolHandle(self, self.create_thread_pool(max_workers))

    def shutdown_executor(self, executor_id: str, wait: bool = True, cancel_futures: bool = False) -> bool:
        """Shut a pool down: what it has taken in is finished, unless ``cancel_futures`` cancels what has not begun.

        Statuses and results of its tasks stay. Returns False if it was shut down before.

        Raises:
            UnknownId: there never was such a pool here.
        """
        if executor_id in self._closed and executor_id not in self._pools:
            return False
        pool = self._pool(executor_id)
        self._closed.add(executor_id)
        pool.shutdown(wait=wait, cancel_pending=cancel_futures)
        if wait:
            self._pools.pop(executor_id, None)
        return True

    def list_executors(self) -> list[dict[str, Any]]:
        """The pools: ``executor_id, type, max_workers, status (open, closing), pending, running, workers`` (pids)."""
        return [
            {
                "executor_id": pool.executor_id,
                "type": pool.kind,
                "max_workers": pool.max_workers,
                "status": "closing" if pool.closed else "open",
                "workers": [identity.pid for identity in pool.workers()],
            }
            | pool.counts()
            for pool in list(self._pools.values())
            if not (pool.closed and not sum(pool.counts().values()))
        ]

    def worker_identities(self) -> list[Identity]:
        """Every worker process of every pool, for whoever pauses or ends this process with its children."""
        return [identity for pool in list(self._pools.values()) for identity in pool.workers()]

    # Tasks

    def submit_task(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        executor_id: str | None = None,
        task_id: str | None = None,
        idempotent: bool = False,
        **kwargs: Any,
    ) -> str:
        """Submit ``func(*args, **kwargs)`` to a pool (None: the default process pool) and return the task's id.

        What ``__main__`` or a notebook cell defines travels by value, as it is now.

        Args:
            idempotent: it does no harm to run it twice, so it is run again (3 times at most) if its worker dies.

        Raises:
            NotPicklable: the function or an argument cannot travel; nothing was submitted.
            UnknownId, ExecutorClosed: there is no such pool (any more).

        >>> get_task_result(submit_task(pow, 2, 10))
        1024
        """
        return self._submit(executor_id, func, args, kwargs, task_id=task_id, idempotent=idempotent).task_id

    def get_task_result(self, task_id: str, timeout: float | None = None) -> Any:
        """Wait for a task and return its result, or raise its error, with the worker's traceback as the cause.

        Args:
            timeout: seconds; None waits without a limit. An automatic checkpoint passes every 0.1 s.

        Raises:
            TaskTimeout: it is not ready; it goes on.
            TaskLost, TaskCancelled: what became of it instead.
            NotPicklable: its result cannot be sent back.
            UnknownId: there is no such task.
        """
        timeout = check_timeout(timeout)
        task = self._known_task(task_id)
        fresh = not task.collected
        try:
            return task.result(timeout)
        finally:
            if fresh and task.collected:
                self._remember(task_id)

    async def aget_task_result(self, task_id: str) -> Any:
        """The awaiting twin of `get_task_result`."""
        return await self._known_task(task_id)

    def get_task_status(self, task_id: str) -> dict[str, Any] | None:
        """A dict, or None for an unknown id.

        ``status`` (pending, running, done, failed, cancelled, lost), ``task_id, function, executor_id``, ``worker``
        (its process_id), ``attempt``, ``submitted_at, started_at, ended_at`` (seconds since the epoch),
        ``duration`` (seconds), ``error``.
        """
        task = self._tasks.get(task_id)
        return None if task is None else task.to_dict()

    def get_task(self, task_id: str) -> Task | None:
        """The task itself: like a `concurrent.futures.Future`, and awaitable."""
        return self._tasks.get(task_id)

    def cancel_task(self, task_id: str) -> bool:
        """Cancel a task that no worker has begun with; False for what runs, is over, or is unknown."""
        task = self._tasks.get(task_id)
        return task is not None and task.cancel()

    def map_tasks(
        self,
        func: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        executor_id: str | None = None,
        chunksize: int | None = None,
        timeout: float | None = None,
        progress: bool | Callable[[int, int], Any] | None = None,
        idempotent: bool = False,
    ) -> list[Any]:
        """Call ``func`` with the items of the iterables, in the workers of a pool; the results in order.

        Args:
            chunksize: items sent at once; None finds it while working (about 0.1 s of work each).
            timeout: seconds for the whole; None has no limit.
            progress: True shows a bar; a function is called with (done, total).
            idempotent: run the chunk of a worker that died again.

        Raises:
            What ``func`` raised first; what has not begun is cancelled then.
            TaskTimeout, TaskLost: likewise.

        While it waits, an automatic checkpoint passes every 0.1 s, so a stop of this process ends it.

        >>> map_tasks(pow, [1, 2, 3], [2, 2, 2])
        [1, 4, 9]
        """
        check_function(func)
        if not iterables:
            raise BadArgument("map needs at least one iterable besides the function")
        if chunksize is not None:
            check_count(chunksize, "chunksize")
        timeout = check_timeout(timeout)
        return run_map(
            self._host,
            self._pool(executor_id),
            func,
            iterables,
            chunksize=chunksize,
            timeout=timeout,
            progress=progress,
            idempotent=idempotent,
        )

    map = map_tasks

    # The end of this process

    def end_pools(self) -> None:
        """This process ends: let tasks finish, as `concurrent.futures` does, unless there is haste."""
        for pool in list(self._pools.values()):
            if not self._host.in_haste():
                try:
                    pool.shutdown(wait=True)
                    continue
                except BaseException:
                    log.debug("the tasks of %s are not waited for any longer", pool.executor_id, exc_info=True)
            pool.end_now()

    # Within

    def _create_pool(self, kind: str, max_workers: int | None, executor_id: str | None) -> str:
        if max_workers is not None:
            check_count(max_workers, "max_workers")
        executor_id = new_executor_id(kind) if executor_id is None else check_id(executor_id, "executor_id")
        if "/" in executor_id or "\\" in executor_id:
            raise BadArgument(f"the executor id {executor_id!r} contains a slash; use '-' or '.' instead")
        self._host.begin()
        pool = _ENGINES[kind](self._host, executor_id, max_workers)
        with self._naming:
            present = self._pools.get(executor_id)
            if present is None or present.closed:
                self._pools[executor_id] = pool
                self._closed.discard(executor_id)
                return executor_id
        raise BadArgument(f"there is a pool {executor_id!r} already; choose another id, or leave it out")

    def _default_pool(self, kind: str) -> str:
        executor_id = f"default-{kind}-pool"
        pool = self._pools.get(executor_id)
        if pool is None or pool.closed:
            with contextlib.suppress(BadArgument):  # another thread was faster
                self._create_pool(kind, None, executor_id)
        return executor_id

    def _pool(self, executor_id: str | None) -> Pool:
        if executor_id is None:
            executor_id = self._default_pool("process")
        pool = self._pools.get(executor_id)
        if pool is not None:
            return pool
        if executor_id in self._closed:
            raise ExecutorClosed(
                f"the pool {executor_id!r} was shut down and takes no more tasks; "
                "make another one with create_process_pool() or create_thread_pool()"
            )
        raise UnknownId(
            f"there is no pool {str(executor_id)[:200]!r} in this process; create_process_pool() and "
            "create_thread_pool() make one and return its id, list_executors() shows them"
        )

    def _submit(
        self,
        executor_id: str | None,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        task_id: str | None = None,
        idempotent: bool = False,
    ) -> Task:
        check_function(func)
        if task_id is not None and check_id(task_id, "task_id") in self._tasks:
            raise BadArgument(f"there is a task {task_id!r} already; choose another id, or leave it out")
        task = self._pool(executor_id).submit(func, args, kwargs, task_id=task_id, idempotent=idempotent)
        self._tasks[task.task_id] = task
        return task

    def _known_task(self, task_id: str) -> Task:
        task = self._tasks.get(task_id)
        if task is None:
            raise UnknownId(f"there is no task {str(task_id)[:200]!r} in this process; submit_task() returns its id")
        return task

    def _remember(self, task_id: str) -> None:
        self._fetched.append(task_id)
        if len(self._fetched) > _REMEMBERED:
            self._tasks.pop(self._fetched.popleft(), None)


class PoolHandle:
    """One pool as an object."""

    def __init__(self, desk: PoolDesk, executor_id: str) -> None:
        self.executor_id = executor_id
        self._desk = desk

    def submit(self, func: Callable[..., Any], /, *args: Any, idempotent: bool = False, **kwargs: Any) -> Task:
        """Submit a call; the `Task` is like a `concurrent.futures.Future`, and awaitable."""
        return self._desk._submit(self.executor_id, func, args, kwargs, idempotent=idempotent)

    def map(self, func: Callable[..., Any], /, *iterables: Iterable[Any], **options: Any) -> list[Any]:
        """As `PoolDesk.map_tasks`, in this pool."""
        return self._desk.map_tasks(func, *iterables, executor_id=self.executor_id, **options)

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> bool:
        return self._desk.shutdown_executor(self.executor_id, wait, cancel_futures)

    def __enter__(self) -> PoolHandle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.shutdown(cancel_futures=kind is not None)

    def __repr__(self) -> str:
        return f"<PoolHandle {self.executor_id}>"
