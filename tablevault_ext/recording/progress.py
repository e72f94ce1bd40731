"""Progress of a process: how much is done, how fast, how long it will take. Paused time does not count."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..errors import BadArgument
from ..journal.writer import JournalWriter

T = TypeVar("T")

WRITE_EVERY = 0.5  # seconds between two lines of a journal
_LOOK_EVERY = 0.02  # seconds between two looks at the clock inside `track`
_PAUSE = 0.05  # seconds: a checkpoint that took longer was a pause
_SMOOTHING = 0.3  # weight of the newest rate, as in tqdm


class Progress:
    """One line of work, written at most twice a second. ``rate`` is steps a second, smoothed as tqdm does.

    Args:
        journal: asked for each time: a forked child has a journal of its own.
    """

    def __init__(self, journal: Callable[[], JournalWriter], desc: str = "") -> None:
        self._journal = journal
        self._desc = desc
        self._lock = threading.Lock()
        self._began = self._last = time.monotonic()
        self._last_done = 0.0
        self._rate: float | None = None
        self._paused = 0.0
        self._paused_since_last = 0.0
        self._told = False

    def note_pause(self, seconds: float) -> None:
        """Leave this time out of elapsed time and rate."""
        self._paused += seconds
        self._paused_since_last += seconds

    def update(self, done: float, total: float | None, *, desc: str | None = None, force: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            spent = now - self._last - self._paused_since_last
            if self._told and not force and now - self._last < WRITE_EVERY:
                return
            self._told = True
            if spent > 0 and done > self._last_done:
                fresh = (done - self._last_done) / spent
                self._rate = fresh if self._rate is None else _SMOOTHING * fresh + (1 - _SMOOTHING) * self._rate
            self._last, self._last_done, self._paused_since_last = now, done, 0.0
            fields: dict[str, Any] = {"done": done, "total": total, "desc": desc or self._desc}
            fields |= {"rate": self._rate, "elapsed": round(now - self._began - self._paused, 3)}
        self._journal().append("progress", **fields)


def track(
    iterable: Iterable[T],
    total: float | None,
    progress: Progress,
    checkpoint: Callable[[], None],
    bell: Callable[[], Any],
) -> Iterator[T]:
    """Yield the items, with a checkpoint after each and the progress journaled.

    Only the doorbell is looked at after every item; the clock, and with it the journal, now and then.
    """
    if total is None:
        total = _length(iterable)
    memory = bell()
    clock = time.monotonic
    done, due, last = 0, 1, clock()
    progress.update(0, total)  # told at once: of bars inside each other, the one that began first is the outermost
    try:
        for item in iterable:
            yield item
            done += 1
            if memory[0] or done >= due:
                before = clock()
                checkpoint()
                now = clock()
                if now - before > _PAUSE:
                    progress.note_pause(now - before)
                progress.update(done, total)
                memory = bell()
                span = max(now - last, 1e-9)
                due = done + max(1, min(1 << 20, int((done - due + 1) * _LOOK_EVERY / span), 2 * done))
                last = now
    finally:
        progress.update(done, total, force=True)


def _length(iterable: Iterable[Any]) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except TypeError:
        return None


def checked_count(value: Any, what: str) -> float:
    """Refuse what cannot be an amount of work.

    Raises:
        BadArgument: not a finite number of 0 or more.
    """
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise BadArgument(f"{what} must be a finite number, 0 or more, not {value!r}; nothing was written")
    return value
