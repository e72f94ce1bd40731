"""Locks between processes: files, so that the operating system frees them when their holder dies.

A lock excludes everybody else, other threads of its holder included; it is not re-entrant. It is held by a
process: any of its threads may release it. A forked child does not hold its parent's (filelock closes it there).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import BadArgument
from ..model import now_us
from .arguments import check_id, check_timeout
from .errors import LockTimeout, NotLocked, UnknownId
from .recorder import Host
from .shared_files import SharedFiles

_LONGEST_NAP = 0.02

_held: dict[Path, FileLock] = {}
_guard = threading.Lock()


class LockDesk:
    """The locks of one vault: ids and names work in all its processes, until deleted."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def create_lock(self, lock_id: str | None = None) -> str:
        """Make a lock and return its id; ``lock_id`` is a name of one's own, which is the id then.

        >>> lock = create_lock()
        >>> with lock_context(lock, timeout=5):
        ...     acquire_lock(lock, timeout=0)
        False
        """
        lock_id = f"lock-{secrets.token_hex(6)}" if lock_id is None else check_id(lock_id, "lock_id")
        files = SharedFiles(self._host.paths.root)
        files.locks.mkdir(mode=0o700, exist_ok=True)
        try:
            fd = os.open(self._card(lock_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise BadArgument(
                f"there is a lock {lock_id!r} in this vault already; use it, delete it, or choose another name"
            ) from None
        with os.fdopen(fd, "w") as card:
            json.dump({"lock_id": lock_id, "created_at": now_us()}, card)
        return lock_id

    def acquire_lock(self, lock_id: str, timeout: float | None = None, block: bool = True) -> bool:
        """Take a lock; False if it was not free within ``timeout`` seconds (None: wait without a limit).

        It is not re-entrant, also not within one process. While it waits, automatic checkpoints pass.

        Raises:
            UnknownId: there is no such lock, or it was deleted meanwhile.
        """
        timeout = check_timeout(timeout)
        card = self._known_lock(lock_id)
        end = None if timeout is None else time.monotonic() + timeout
        nap = 0.0005
        while not self._try_lock(card):
            self._known_lock(lock_id)
            now = time.monotonic()
            if not block or (end is not None and now >= end):
                return False
            time.sleep(nap if end is None else max(0.0, min(nap, end - now)))
            nap = min(nap * 1.5, _LONGEST_NAP)
            self._host.checkpoint()
        return True

    def release_lock(self, lock_id: str) -> None:
        """Free a lock that this process holds.

        Raises:
            NotLocked: it does not hold it.
        """
        card = self._card(lock_id)
        if not self._let_go(card):
            self._known_lock(lock_id)
            raise NotLocked(f"this process does not hold the lock {lock_id!r}, so there is nothing to release")

    @contextmanager
    def lock_context(self, lock_id: str, timeout: float | None = None) -> Iterator[None]:
        """Hold a lock for a ``with`` block.

        Raises:
            LockTimeout: it was not free within ``timeout`` seconds; the block does not run.
        """
        if not self.acquire_lock(lock_id, timeout):
            raise LockTimeout(f"the lock {lock_id!r} was held by another for {timeout:g} s; try again later")
        try:
            yield
        finally:
            self._let_go(self._card(lock_id))

    def delete_lock(self, lock_id: str) -> bool:
        """Delete a lock; whoever waits for it is told, whoever holds it keeps what it has until it lets go."""
        self._known_lock(lock_id)
        self._card(lock_id).unlink(missing_ok=True)
        self._file(self._card(lock_id)).unlink(missing_ok=True)
        return True

    def _try_lock(self, card: Path) -> bool:
        lock = FileLock(self._file(card), mode=0o600, is_singleton=False, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        if not card.exists():  # deleted: this is a new file, and who holds the old one, here perhaps, still has it
            lock.release()
            return False
        with _guard:
            _held[card] = lock
        return True

    def _let_go(self, card: Path) -> bool:
        with _guard:
            lock = _held.pop(card, None)
        if lock is None:
            return False
        lock.release()
        return True

    def _known_lock(self, lock_id: str) -> Path:
        card = self._card(lock_id)
        if not card.exists():
            raise UnknownId(
                f"there is no lock {lock_id[:200]!r} in this vault: it was never created here, or it was deleted; "
                "create_lock() makes one"
            )
        return card

    def _card(self, lock_id: str) -> Path:
        check_id(lock_id, "lock_id")
        # A digest: names may hold what no file name can.
        digest = hashlib.sha256(lock_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return SharedFiles(self._host.paths.root).locks / f"{digest}.json"

    @staticmethod
    def _file(card: Path) -> Path:
        return card.with_suffix(".lock")


def _forget_after_fork() -> None:
    global _guard
    _held.clear()
    _guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
