"""What a command prints: it writes into files itself, so nothing is lost when its launcher dies.

No pipe: nobody has to empty it, and a grandchild that keeps it open holds nobody up.
"""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def as_text(data: bytes) -> str:
    """Output is text: UTF-8, what is not becomes �; every line ends with a newline alone."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


class Capture:
    """One stream of one command, and its log in the vault.

    Args:
        folder: the command's logs, made when there is something to keep.
        stream: stdout or stderr.
        quick: write into memory first. Making a file takes longer than a quick command runs; the log is made by
            the first `keep` that finds something.
    """

    def __init__(self, folder: Callable[[], Path], stream: str, *, quick: bool) -> None:
        self._folder = folder
        self._stream = stream
        self._quick = quick and hasattr(os, "memfd_create")
        self._kept = 0
        self._fd: int | None = os.memfd_create("output", os.MFD_CLOEXEC) if self._quick else self._open_log()

    @property
    def fd(self) -> int:
        """What the command writes to."""
        if self._fd is None:
            raise ValueError("the command is over")
        return self._fd

    def read(self, offset: int = 0) -> bytes:
        """What was printed from ``offset`` on."""
        fd = self._fd
        if fd is not None:
            try:
                return os.pread(fd, max(os.fstat(fd).st_size - offset, 0), offset)
            except OSError:  # closed this moment
                pass
        if self._quick and not self._kept:
            return b""
        try:
            with self._log.open("rb") as file:
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return b""  # the user pruned the vault's logs

    def keep(self) -> None:
        """Bring the log up to date."""
        if not self._quick or self._fd is None or os.fstat(self._fd).st_size == self._kept:
            return
        data = self.read(self._kept)
        fd = self._open_log()
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
        self._kept += len(data)

    def close(self) -> None:
        """The command is over: what it printed is in its log from now on."""
        try:
            self.keep()
        finally:
            fd, self._fd = self._fd, None
            if fd is not None:
                os.close(fd)

    @property
    def _log(self) -> Path:
        return self._folder() / f"{self._stream}.log"

    def _open_log(self) -> int:
        self._folder().mkdir(mode=0o700, exist_ok=True)
        return os.open(self._log, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def discard(self) -> None:
        """Nothing was started."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
        if not self._quick:
            self._log.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the other stream's log is in it
                self._folder().rmdir()


class Tail:
    """Reads what a command prints line by line, while it prints."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def read(self, *, ended: bool = False) -> list[str]:
        """The lines that are complete by now; with ``ended`` an unfinished last one, too. Without newlines."""
        data = self._capture.read(self._offset)
        self._offset += len(data)
        self._rest += self._decoder.decode(data, ended).replace("\r\n", "\n")
        *lines, self._rest = self._rest.split("\n")
        if ended and self._rest:
            lines, self._rest = [*lines, self._rest], ""
        return lines
