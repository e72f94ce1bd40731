"""The one writer of a process's journal."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections import deque
from pathlib import Path
from typing import Any

from ..model import now_us
from .lines import encode_line

log = logging.getLogger("tablevault_ext")

_BACKLOG_BYTES = 64 * 2**20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class JournalWriter:
    """Appends events to one journal: one `os.write` of one whole line each, from any thread.

    What is acknowledged (``append`` returned) is in the file, or, while the disk is full or the directory has
    become read-only, in a backlog of at most 64 MiB that is written as soon as writing works again. A line
    carries its type ``e``, its process ``p``, its number ``n`` in this journal and its time ``at`` (µs, UTC).

    Args:
        go_on_from: the number of the last line, where a journal is continued by another process.

    Raises:
        OSError: when the journal cannot be made.
    """

    def __init__(self, path: Path, process_id: str, *, go_on_from: int = 0) -> None:
        self.path = path
        self.process_id = process_id
        # Re-entrant: a signal handler may append while its own thread is in here.
        self._lock = threading.RLock()
        self._number = go_on_from
        self._torn = False
        self._backlog: deque[bytes] = deque()
        self._backlog_size = 0
        self._complained = False
        self._abandoned = False
        self._fd = self._open()

    def append(self, event: str, **fields: Any) -> None:
        """Write one event. Values must be plain JSON types (see `recording.records` for others)."""
        self.append_at(now_us(), event, fields)

    def append_at(self, at: int, event: str, fields: dict[str, Any]) -> None:
        """Write one event that happened at ``at`` microseconds since the epoch."""
        if self._abandoned:
            return  # the parent's journal; a forked child opens its own at its first checkpoint or record
        with self._lock:
            line = encode_line({"e": event, "p": self.process_id, "n": self._number + 1, "at": at} | fields)
            self._number += 1
            if self._backlog:
                self._defer(line)
                self.flush()
            else:
                self._write(line)

    def flush(self) -> bool:
        """Try to write what waits; True when nothing waits any more."""
        with self._lock:
            while self._backlog:
                line = self._backlog.popleft()
                self._backlog_size -= len(line)
                before = len(self._backlog)
                self._write(line, front=True)
                if len(self._backlog) > before:
                    return False
            return True

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                try:
                    self._look()
                except OSError as error:
                    self._complain(error)
            if not self.flush():
                log.error("%d events of %s could not be written: %s", len(self._backlog), self.process_id, self.path)
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def abandon_after_fork(self) -> None:
        """In a forked child: let go of the parent's file without writing into it."""
        self._abandoned = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        fd = os.open(self.path, _FLAGS, 0o600)
        self._torn = False
        return fd

    def _write(self, line: bytes, *, front: bool = False) -> None:
        data = b"\n" + line if self._torn else line
        try:
            self._look()
            written = os.write(self._fd, data)
        except OSError as error:
            self._complain(error)
            self._defer(line, front=front)
            return
        # After a short write the next line begins with a newline, so that only this one is torn.
        self._torn = written < len(data)
        if self._torn:
            self._complain(OSError(f"only {written} of {len(data)} bytes were written"))
            self._defer(line, front=front)
        elif self._complained and not self._backlog:
            self._complained = False
            log.warning("the journal %s can be written again; nothing was lost", self.path)

    def _look(self) -> None:
        """See whether the file was deleted under us. Its lines are still ours to read: put it back, whole."""
        if os.fstat(self._fd).st_nlink:
            return
        fresh = self.path.with_name(f".{self.path.name}.restored")
        # In one piece or not at all: whoever reads journals never sees half of it.
        with os.fdopen(os.dup(self._fd), "rb") as old, os.fdopen(os.open(fresh, _NEW, 0o600), "wb") as new:
            old.seek(0)
            shutil.copyfileobj(old, new)
        fresh.rename(self.path)
        restored = os.open(self.path, _FLAGS, 0o600)
        os.close(self._fd)
        self._fd = restored
        log.warning("the journal %s was deleted while it was written; it was put back with all it held", self.path)

    def _defer(self, line: bytes, *, front: bool = False) -> None:
        if self._backlog_size + len(line) > _BACKLOG_BYTES:
            log.error("the journal %s cannot be written and 64 MiB wait already: an event is dropped", self.path)
            return
        (self._backlog.appendleft if front else self._backlog.append)(line)
        self._backlog_size += len(line)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            log.error(
                "the journal %s cannot be written (%s); events are kept in memory and written when it works again",
                self.path,
                error.strerror or error,
            )
