"""One thread that watches what was launched: calls back when something ends, and looks at what takes long."""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable

log = logging.getLogger("tablevault_ext")

LONG = 0.5
"""Seconds after which something that runs is noted as running for long."""


class Reaper:
    """Waits for file descriptors that become readable when a process ends (pidfd, multiprocessing's sentinel)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._fresh: list[tuple[int, Callable[[], None]]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._thread = threading.Thread(target=self._run, name="tablevault-reaper", daemon=True)
        self._thread.start()

    def watch(self, fd: int, ended: Callable[[], None]) -> None:
        """Call ``ended()`` once when ``fd`` becomes readable. The caller keeps it open until then."""
        with self._lock:
            self._fresh.append((fd, ended))
        self._wake()

    def look_later(self, look: Callable[[], None], seconds: float = LONG) -> None:
        """Call ``look()`` once after a while."""
        with self._lock:
            due = time.monotonic() + seconds
            next_due = min(self._later)[0] if self._later else None
            self._count += 1  # so that two with the same time compare
            self._later.append((due, self._count, look))
        if next_due is None or due < next_due:  # otherwise the thread wakes up before this one is due anyway
            self._wake()

    def _wake(self) -> None:
        os.write(self._wake_write, b"x")

    def _run(self) -> None:
        while True:
            try:
                self._round()
            except Exception:
                log.exception("the thread that watches launched processes met an error")

    def _round(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, []
            due = min(self._later)[0] - time.monotonic() if self._later else None
        for fd, ended in fresh:
            self._selector.register(fd, selectors.EVENT_READ, ended)
        for key, _ in self._selector.select(None if due is None else max(due, 0.0)):
            if key.data is None:
                os.read(self._wake_read, 4096)
                continue
            self._selector.unregister(key.fd)
            self._call(key.data)
        with self._lock:
            now = time.monotonic()
            ripe = [entry[2] for entry in self._later if entry[0] <= now]
            self._later = [entry for entry in self._later if entry[0] > now]
        for look in ripe:
            self._call(look)

    def _call(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:
            log.exception("what a process left behind could not be noted")


_reaper: Reaper | None = None
_lock = threading.Lock()


def _get() -> Reaper:
    global _reaper
    if _reaper is None:
        with _lock:
            if _reaper is None:
                _reaper = Reaper()
    return _reaper


def watch(fd: int, ended: Callable[[], None]) -> None:
    """Call ``ended()`` from the reaper's thread when ``fd`` becomes readable."""
    _get().watch(fd, ended)


def look_later(look: Callable[[], None], seconds: float = LONG) -> None:
    """Call ``look()`` from the reaper's thread after ``seconds``."""
    _get().look_later(look, seconds)


def _forget_after_fork() -> None:
    global _reaper, _lock
    _reaper, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
