"""`map` over a pool: in chunks of so much work that quick items are cheap and slow ones visible.

Nobody knows beforehand how long an item takes. A worker gets a fair share and hands back what it has not begun when
its time is over; from then on the pace is known.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any

from .errors import TaskTimeout
from .payload import name_of
from .pools import Pool
from .recorder import Host
from .tasks import SLICE, Task

_CHUNK_SECONDS = 0.1  # what a killed worker may cost, and how often progress is seen
_LEAST_SECONDS = 0.005  # below this, sending a chunk costs more than an idle worker
_TELL_EVERY = 0.5


def run_map(
    host: Host,
    pool: Pool,
    function: Callable[..., Any],
    iterables: tuple[Iterable[Any], ...],
    *,
    chunksize: int | None = None,
    timeout: float | None = None,
    progress: bool | Callable[[int, int], Any] | None = None,
    idempotent: bool = False,
) -> list[Any]:
    """Call a function with each item; the results in order. The first error cancels what has not begun.

    While it waits, an automatic checkpoint passes every 0.1 s.
    """
    items = list(zip(*iterables, strict=False))
    show = Progress(host, function, len(items), progress)
    work = _Map(pool, function, items, show, chunksize=chunksize, idempotent=idempotent)
    return work.run(host, timeout)


class _Map:
    def __init__(
        self,
        pool: Pool,
        function: Callable[..., Any],
        items: list[tuple[Any, ...]],
        progress: Progress,
        *,
        chunksize: int | None,
        idempotent: bool,
    ) -> None:
        self._pool, self._function, self._items = pool, function, items
        self._fixed = chunksize
        self._idempotent = idempotent
        self._progress = progress
        self._results: list[Any] = [None] * len(items)
        self._left = [(0, len(items))] if items else []  # ranges that no worker has, the next one last
        self._size = chunksize or self._fair_share()
        self._running: dict[Task, tuple[int, int]] = {}

    def run(self, host: Host, timeout: float | None) -> list[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        prepared = self._pool.prepare(self._function)
        try:
            while True:
                self._fill(prepared)
                if not self._running:
                    return self._results
                left = SLICE if end is None else max(0.0, min(SLICE, end - time.monotonic()))
                done = wait(self._running, timeout=left, return_when=FIRST_COMPLETED).done
                for task in done:
                    self._collect(task)  # type: ignore[arg-type]
                if end is not None and not done and time.monotonic() >= end:
                    raise TaskTimeout(
                        f"the map of {name_of(self._function)} had {self._progress.done} of {len(self._items)} results "
                        f"after {timeout:g} s; what runs goes on, the rest was cancelled"
                    )
                host.checkpoint()
        finally:
            for task in self._running:
                task.cancel()
            self._progress.close()

    def _fill(self, prepared: Any) -> None:
        """Keep every worker busy, and a chunk waiting, so that none idles between two."""
        seconds = math.inf if self._fixed else _CHUNK_SECONDS
        while self._left and len(self._running) <= self._pool.max_workers:
            start, stop = self._left.pop()
            end = min(stop, start + self._size)
            if end < stop:
                self._left.append((end, stop))
            task = self._pool.submit_chunk(
                self._function, prepared, self._items[start:end], seconds=seconds, idempotent=self._idempotent
            )
            self._running[task] = (start, end)

    def _collect(self, task: Task) -> None:
        start, end = self._running.pop(task)
        try:
            values = task.result()
        except Exception as error:
            error.add_note(f"while mapping {name_of(self._function)} over items {start} to {end - 1}")
            raise
        self._results[start : start + len(values)] = values
        if start + len(values) < end:
            self._left.append((start + len(values), end))
        if self._fixed is None:
            self._adapt(task, len(values))
        self._progress.add(len(values))

    def _adapt(self, task: Task, count: int) -> None:
        pace = count / max(((task.ended_at or 0) - (task.started_at or 0)) / 1e6, 1e-6)
        worthwhile = math.ceil(_LEAST_SECONDS * pace)
        self._size = max(1, min(math.ceil(_CHUNK_SECONDS * pace), max(self._fair_share(), worthwhile)))

    def _fair_share(self) -> int:
        """So much that the last ones end together."""
        left = sum(stop - start for start, stop in self._left)
        return max(1, math.ceil(left / (2 * self._pool.max_workers)))


class Progress:
    """Says how far a map has come: to a bar, to a function, and now and then to the vault."""

    def __init__(
        self, host: Host, function: Callable[..., Any], total: int, show: bool | Callable[[int, int], Any] | None
    ) -> None:
        self.done = 0
        self.total = total
        self._host = host
        self._desc = name_of(function)
        self._began = self._told = time.monotonic()
        self._tell = show if callable(show) else None
        self._bar: Any = None
        if show is True:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, desc=self._desc)

    def add(self, count: int) -> None:
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        if self._tell is not None:
            self._tell(self.done, self.total)
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            self._note(now)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._told != self._began:
            self._note(time.monotonic())

    def _note(self, now: float) -> None:
        journal = self._host.journal()
        if journal is not None:
            elapsed = now - self._began
            journal.append(
                "progress",
                done=self.done,
                total=self.total,
                desc=self._desc,
                rate=round(self.done / elapsed, 3) if elapsed else None,
                elapsed=round(elapsed, 3),
            )
