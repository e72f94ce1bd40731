"""Requests to a process: one line each, appended under the inbox's lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..paths import VaultPaths
from .lines import encode_line
from .locks import hold


@contextmanager
def locked_inbox(paths: VaultPaths, process_id: str) -> Iterator[None]:
    """Hold the inbox: between checking the target's state and appending a line nobody else may append."""
    with hold(paths.inbox(process_id).with_suffix(".lock")):
        yield


def append_to_inbox(paths: VaultPaths, process_id: str, line: dict[str, Any]) -> int:
    """Append one line to an inbox that the caller holds; return the inbox's new length in bytes.

    Raises:
        OSError: when the line could not be written whole; the inbox is then as it was.
    """
    data = encode_line(line)
    fd = os.open(paths.inbox(process_id), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":  # someone died in the middle of a line
            data = b"\n" + data
        try:
            written = os.write(fd, data)
            if written < len(data):
                raise OSError(f"only {written} of {len(data)} bytes of the request were written")
        except OSError:
            os.ftruncate(fd, size)
            raise
        return size + len(data)
    finally:
        os.close(fd)
