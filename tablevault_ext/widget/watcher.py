"""The thread that keeps a panel up to date, so that the kernel's main thread never waits for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

log = logging.getLogger("tablevault_ext")

EVERY = 1.0  # seconds between two looks
SOON = 0.1  # while something that was asked here is still to be seen
Job = Callable[[], None]


class Watcher:
    """Calls ``look`` again and again, and does jobs in between: all in one thread, so that nothing needs a lock.

    Args:
        look: returns whether it should be called again soon.
        trouble: told what went wrong; looking goes on.
    """

    def __init__(self, look: Callable[[], bool], trouble: Callable[[Exception], None]) -> None:
        self._look = look
        self._trouble = trouble
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tablevault-panel", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, job: Job) -> None:
        """Do this in the thread, then look at once. Callable from any thread."""
        self._jobs.put(job)

    def stop(self) -> None:
        """End the thread; what it is just doing is still done."""
        self._stopped.set()
        self._jobs.put(None)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(10)

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            soon = bool(self._attempt(self._look))
            deadline = time.monotonic() + (SOON if soon else EVERY)
            while not self._stopped.is_set() and self._wait_for_job(deadline - time.monotonic()):
                deadline = 0.0

    def _wait_for_job(self, seconds: float) -> bool:
        """Do the next job, if one comes in time."""
        try:
            job = self._jobs.get(timeout=seconds) if seconds > 0 else self._jobs.get_nowait()
        except queue.Empty:
            return False
        if job is not None:
            self._attempt(job)
        return True

    def _attempt(self, work: Callable[[], bool | None]) -> bool | None:
        try:
            return work()
        except Exception as error:
            log.debug("the panel met an error", exc_info=True)
            if not self._stopped.is_set():
                self._trouble(error)
            return None
