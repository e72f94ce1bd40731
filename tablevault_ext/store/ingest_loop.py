"""The ingester's loop: look, take in what is new, let the riders ride, rest. For a process of its own, or a thread.

Imports duckdb only where the work is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ..errors import DatabaseDamaged, DatabaseHeld
from ..journal.locks import LockBusy
from ..paths import VaultPaths

if TYPE_CHECKING:
    from ..identity import Identity
    from .ingest import Ingested
    from .offsets import Source
    from .presence import Unended

log = logging.getLogger("tablevault_ext")

TICK = 0.25
"""Seconds between two looks while something goes on."""

_QUIET_TICK = 0.5
_QUIET_AFTER = 30.0
_PRESENCE_EVERY = 1.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.4, 1.0
_DAMAGED_PAUSE = 15.0
_STANDBY_EVERY = 2.0
_COMPRESS_EVERY = 60.0
_ELECTION = 1.0


def role_lock(paths: VaultPaths) -> Path:
    """Who holds this lock is the vault's ingester."""
    return paths.root / ".ingester.lock"


class Ingester:
    """The loop of passes, for a process of its own or for a thread of the Jupyter server.

    Args:
        on_change: called with the ids of processes of which something changed, in the loop's thread: as soon as
            their files did (also while another process is the elected ingester), and again when it is ingested.
        extra_steps: called after each look while this is the elected ingester; exceptions are logged.
        linger: seconds after which the loop ends when no process lives and nothing changes; None: never.
    """

    def __init__(
        self,
        paths: VaultPaths,
        *,
        on_change: Callable[[set[str]], None] | None = None,
        extra_steps: Sequence[Callable[[], None]] = (),
        linger: float | None = None,
    ) -> None:
        from .watch import Watch

        self.paths = paths
        self.on_change = on_change
        self.extra_steps = list(extra_steps)
        self.linger = linger
        self._watch = Watch(paths)
        self._lock = FileLock(role_lock(paths), mode=0o600, is_singleton=False, thread_local=False)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pending: set[Source] | None = None  # None: look at everything
        self._unended: list[Unended] = []
        self.trouble: Exception | None = None  # what keeps this one from ingesting now
        self._complaint = ""
        self._not_before = 0.0
        self._next_presence = 0.0
        self._next_election = 0.0
        self._next_compression = time.monotonic() + 5.0
        self._last_activity = time.monotonic()

    # As a thread

    def start(self) -> None:
        """Run the loop in a daemon thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="tablevault-ingester", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End the loop after its present pass and give the role back."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    def leave(self) -> None:
        """End the loop after its present pass, without waiting for it: for signal handlers."""
        self._stop.set()

    @property
    def running(self) -> bool:
        """Whether the thread runs; without `stop` it ends only where going on makes no sense."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def elected(self) -> bool:
        """Whether this is the vault's ingester."""
        return self._lock.is_locked

    def run(self) -> None:
        """The loop; returns after `stop`, when the linger time is over, or when the vault is gone."""
        try:
            while not self._stop.is_set():
                try:
                    self.run_once()
                except OSError:
                    if self.paths.journals.is_dir():
                        raise
                    log.info("the vault %s is gone; its ingester ends", self.paths.root)
                    return
                if self._may_leave() and self._leave():
                    return
                self._stop.wait(self._pause())
        except Exception:
            log.exception("the ingester of %s met an error", self.paths.root)
        finally:
            self._lock.release()

    @property
    def living(self) -> dict[str, Identity]:
        """The processes that are there and wrote no ending, as the last pass found them."""
        return {one.process_id: one.own for one in self._unended if one.alive()}

    # One turn

    def run_once(self) -> Ingested | None:
        """Look once, and take in what is new; None when there was nothing to do."""
        changed = self._watch.changes()
        if changed:
            self._last_activity = time.monotonic()
            # Before the pass: whoever shows live states reads them from these files, also while the database is held.
            self._tell({source.process_id for source in changed})
        if not self._elect():
            self._pending = None
            return None
        if self._pending is not None:
            self._pending |= changed
        done = None
        if self._is_due():
            done = self._pass()
        for step in self.extra_steps:
            try:
                step()
            except Exception:
                log.exception("a step that rides on the ingester failed")
        self._compress()
        return done

    def _elect(self) -> bool:
        if self._lock.is_locked:
            return True
        now = time.monotonic()
        if now < self._next_election:
            return False
        self._next_election = now + _STANDBY_EVERY
        try:
            self._lock.acquire(timeout=_ELECTION if self.linger is not None else 0)
        except Timeout:
            return False
        return True

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now < self._not_before:
            return False
        if self._pending is None or self._pending:
            return True
        if now < self._next_presence:
            return False
        self._next_presence = now + _PRESENCE_EVERY
        return not all(one.agrees() for one in self._unended)

    def _pass(self) -> Ingested | None:
        from .passes import ingest_pass
        from .schema import NewerVault

        began = time.monotonic()
        try:
            done = ingest_pass(self.paths, self._pending)
            self._unended = done.unended
        except (DatabaseHeld, LockBusy) as error:
            self._put_off(error, str(error), _LONGEST_PAUSE)
            return None
        except DatabaseDamaged as error:
            self._put_off(error, str(error), _DAMAGED_PAUSE)
            return None
        except NewerVault as error:
            self._put_off(error, f"{error}; ingesting ends", _DAMAGED_PAUSE)
            self._stop.set()
            return None
        except Exception as error:
            if not self.paths.journals.is_dir():
                raise  # the vault is gone
            known = isinstance(error, OSError | _duckdb_error())
            self._put_off(error, f"a pass failed and will be tried again: {error}", _LONGEST_PAUSE)
            if not known:
                self._not_before += _DAMAGED_PAUSE
                log.exception("a pass failed in an unforeseen way")
            return None
        self.trouble = None
        if self._complaint:
            self._complaint = ""
            log.warning("%s can be written again; everything is in it", self.paths.database)
        self._pending = set()
        took = time.monotonic() - began
        # Leave the file to others for most of the time, but never for longer than a second.
        self._not_before = time.monotonic() + min(max(took * 4, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        self._tell(done.process_ids)
        return done

    def _put_off(self, trouble: Exception, complaint: str, pause: float) -> None:
        self.trouble = trouble
        self._pending = None
        self._not_before = time.monotonic() + pause
        if complaint != self._complaint:
            self._complaint = complaint
            log.warning("%s", complaint)

    def _tell(self, process_ids: set[str]) -> None:
        if process_ids and self.on_change is not None:
            try:
                self.on_change(process_ids)
            except Exception:
                log.exception("whoever listens to the ingester failed")

    def _compress(self) -> None:
        if time.monotonic() < self._next_compression or self._complaint or self._pending:
            return
        self._next_compression = time.monotonic() + _COMPRESS_EVERY
        from .compress import compress_ended

        try:
            compress_ended(self.paths)
        except (DatabaseHeld, DatabaseDamaged, LockBusy, OSError) as error:
            log.info("journals are compressed another time: %s", error)

    def _pause(self) -> float:
        quiet = time.monotonic() - self._last_activity > _QUIET_AFTER
        return _QUIET_TICK if quiet else TICK

    # Leaving

    def _may_leave(self) -> bool:
        if self.linger is None:
            return False
        if not self.elected:
            return True  # another process is the ingester
        if any(one.alive() for one in self._unended):
            self._last_activity = time.monotonic()
        return time.monotonic() - self._last_activity > self.linger

    def _leave(self) -> bool:
        """Give the role back, then look once more: whoever wrote while we left saw the role taken."""
        self._lock.release()
        if not self._watch.changes():
            return True
        self._next_election = 0.0
        self._pending = None
        self._last_activity = time.monotonic()
        return not self._elect()


def _duckdb_error() -> type[Exception]:
    import duckdb

    return duckdb.Error
