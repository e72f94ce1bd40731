"""Carry the output of a program from a pipe into its log, and through to where it went before."""

from __future__ import annotations

import os
import select
import threading

from .log_files import LogWriter

_BLOCK = 64 << 10


class LogPump(threading.Thread):
    """Reads a pipe to its end, one block at a time, so that no amount of output fills memory.

    Args:
        source: the reading end; it is closed at the end.
        log: where it is kept; it is closed at the end.
        through: a descriptor that gets the same bytes at once (the terminal), or None. When that is gone
            (a closed terminal), the log goes on.
    """

    def __init__(self, source: int, log: LogWriter, through: int | None = None) -> None:
        super().__init__(name=f"tablevault-log-{log.stream}", daemon=True)
        self._source = source
        self._log = log
        self._through = through
        self._told, self._tell = os.pipe()
        self._closing = threading.Lock()

    def run(self) -> None:
        try:
            while data := self._next():
                self._log.write(data)
                self._pass_on(data)
        finally:
            self._log.close()
            os.close(self._source)
            os.close(self._told)
            self._close_tell()

    def finish(self, timeout: float | None = None) -> bool:
        """Take what is in the pipe by now and end; for when the program is over but a daemon of it holds the pipe.

        Returns whether the pump ended within ``timeout`` seconds.
        """
        self._close_tell()
        self.join(timeout)
        return not self.is_alive()

    def _close_tell(self) -> None:
        with self._closing:
            if self._tell >= 0:
                os.close(self._tell)
                self._tell = -1

    def _next(self) -> bytes:
        """The next block; empty at the end of the pipe, or when asked to finish and the pipe is drained."""
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._told, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        return os.read(self._source, _BLOCK) if self._source in ready else b""

    def _pass_on(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._through is not None:
            try:
                view = view[os.write(self._through, view) :]
            except OSError:
                self._through = None
