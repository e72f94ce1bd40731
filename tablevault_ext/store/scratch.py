"""Room for bytes that DuckDB is to read as a file: gone with whoever made it, however it ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import VaultUnusable


class NoRoom(VaultUnusable):
    """There is nowhere to stage what was read: memory, or the system's temporary directory, is full."""


class Scratch:
    """Makes files that only this process sees; `open_scratch` ends them.

    They are in memory where the system has such files (Linux), so that neither a full disk nor a read-only vault
    keeps a query from being answered, and a killed process leaves nothing behind.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder: Path | None = None

    def file(self, name: str) -> Path:
        """The path of a new, empty file.

        Raises:
            NoRoom: it cannot be made.
        """
        try:
            if hasattr(os, "memfd_create"):
                fd = os.memfd_create(f"tablevault-{name}", os.MFD_CLOEXEC)
                self._stack.callback(os.close, fd)
                return Path(f"/proc/self/fd/{fd}")
            if self._folder is None:
                self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tablevault-")))
            path = self._folder / name
            path.touch()
            return path
        except OSError as error:
            raise NoRoom(f"there is no room for what was read: {error.strerror or error}") from error


@contextmanager
def open_scratch() -> Iterator[Scratch]:
    """A `Scratch` whose files are gone at the end."""
    with ExitStack() as stack:
        yield Scratch(stack)
