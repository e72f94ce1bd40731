"""Short exclusive sections between processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import VaultError


class LockBusy(VaultError, TimeoutError):
    """Another process has held a vault lock for too long."""


@contextmanager
def hold(path: Path, timeout: float = 10.0) -> Iterator[None]:
    """Hold the lock file at ``path`` (made when missing, mode 0600), waiting at most ``timeout`` seconds.

    The operating system frees it when its holder dies; filelock closes it in forked children.
    """
    try:
        lock = FileLock(path, mode=0o600, is_singleton=False, poll_interval=0.002).acquire(timeout=timeout)
    except Timeout:
        raise LockBusy(f"{path.name} has been held by another process for {timeout:g} s; try again") from None
    with lock:
        yield
