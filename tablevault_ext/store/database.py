"""vault.duckdb, opened briefly and closed again, so that others get in.

The file is attached to a private in-memory database: settings are ours alone, and results can be kept in memory
after the file is let go. It is never touched but through DuckDB: opening and closing it with ``open()`` in a
process that holds it would drop DuckDB's lock.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
from duckdb import DuckDBPyConnection

from ..errors import DatabaseDamaged, DatabaseHeld, VaultError, VaultUnusable
from ..journal.locks import hold
from ..paths import VaultPaths
from .engine import alone_in_process, borrow_memory, give_back, open_memory
from .rows import quote
from .schema import NewerVault

PATIENCE = 0.3
"""Seconds to wait for somebody else who holds the file; tools that only pass by are gone by then."""

_HOLDER = re.compile(r"held in (.*?) ?\(PID (\d+)\)")
_DAMAGE_TYPES = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)
_DAMAGE = (
    "not a valid DuckDB database file",
    "Could not read enough bytes",
    "Corrupt",
    "corrupt",
    "checksum",
    "Serialization Error",
    "INTERNAL Error",
    "FATAL Error",
    "replaying WAL",
    "Failed to load metadata",
)


def pass_lock(paths: VaultPaths) -> Path:
    """The lock under which programs of ours write to vault.duckdb."""
    return paths.root / ".pass.lock"


@dataclass(slots=True)
class Opened:
    """An open vault: ``connection``'s default catalog holds its tables. To be closed soon.

    ``catalog`` is that one's name; None where it belongs to somebody else's database and cannot be let go of alone.
    """

    connection: DuckDBPyConnection
    catalog: str | None = "vault"
    _give_back: Callable[[], None] | None = None

    def detach(self) -> None:
        """Let go of the file; the in-memory rest of the connection stays."""
        if self.catalog is not None:
            self.connection.execute(f"USE memory; DETACH {self.catalog}")
            self.catalog = None

    def close(self) -> None:
        """Let go of the file, even if somebody still refers to the connection."""
        with contextlib.suppress(duckdb.Error):
            # Ctrl-C takes a query from us, not from DuckDB's threads: to roll back would wait for its end.
            self.connection.interrupt()
            self.connection.execute("ROLLBACK")
        kept = self.catalog is not None
        with contextlib.suppress(duckdb.Error):
            self.detach()
        self.connection.close()
        if kept and self.catalog is None and self._give_back is not None:
            self._give_back()


def connect(
    paths: VaultPaths, *, read_only: bool, patience: float = 0.0, file: Path | None = None, private: bool = False
) -> Opened:
    """Open vault.duckdb, or ``file`` in its place. Only `alone_in_process`.

    Args:
        patience: seconds to wait for somebody else who holds it.
        private: make a database for this connection alone, whose in-memory part may outlive the file.

    Raises:
        DatabaseHeld: somebody else holds it, after ``patience`` seconds still; names who.
        DatabaseDamaged: it is no readable database.
        VaultUnusable: no permission, made by a newer DuckDB, or (``read_only``) missing.
    """
    file = file or paths.database
    deadline = time.monotonic() + patience
    pause = 0.005
    for_ingest = not read_only
    engine = open_memory(paths, for_ingest=for_ingest) if private else borrow_memory(paths, for_ingest=for_ingest)
    try:
        while True:
            try:
                connection = _attach(paths, engine, file, read_only)
                break
            except DatabaseHeld:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
    except _OpenHere:
        engine.close()
        return _join_own_process(paths, read_only)
    except BaseException:
        engine.close()
        raise
    if private:
        return Opened(connection, _give_back=engine.close)
    return Opened(connection, _give_back=lambda: give_back(paths, engine, for_ingest=for_ingest))


class _OpenHere(Exception):
    """This very process has the file open by another connection."""


def _attach(paths: VaultPaths, engine: DuckDBPyConnection, file: Path, read_only: bool) -> DuckDBPyConnection:
    connection = engine.cursor()
    try:
        option = " (READ_ONLY)" if read_only else ""
        connection.execute(f"ATTACH {quote(str(file))} AS vault{option}")
        connection.execute("USE vault")
        if not read_only:
            file.chmod(0o600)
        return connection
    except duckdb.Error as error:
        connection.close()
        if "Unique file handle conflict" in str(error):
            raise _OpenHere from None
        raise (explain(error, paths) or error) from error


def _join_own_process(paths: VaultPaths, read_only: bool) -> Opened:
    """The user of this very process has the file open: join that database, if its settings allow."""
    try:
        shared = duckdb.connect(str(paths.database))
    except duckdb.Error:
        me = f"this very process (pid {os.getpid()})"
        raise DatabaseHeld(
            f"{me} holds {paths.database.name} open by another connection; close that one to let the vault in. "
            "The journals still grow and nothing is lost",
            me,
        ) from None
    if not read_only:
        return Opened(shared, catalog=None)
    # A reader needs a database whose settings and temporary tables are its own.
    try:
        return Opened(_copy_of(shared, paths))
    finally:
        shared.close()


def _copy_of(shared: DuckDBPyConnection, paths: VaultPaths) -> DuckDBPyConnection:
    with tempfile.TemporaryDirectory(prefix="tablevault-") as folder:
        copy = quote(str(Path(folder) / "copy.duckdb"))
        shared.execute(f"ATTACH {copy} AS tablevault_copy")
        try:
            shared.execute("COPY FROM DATABASE vault TO tablevault_copy")
        finally:
            shared.execute("DETACH tablevault_copy")
        connection = open_memory(paths)
        connection.execute(f"ATTACH {copy} AS file (READ_ONLY); ATTACH ':memory:' AS vault")
        connection.execute("COPY FROM DATABASE file TO vault; DETACH file; USE vault")
        return connection


def explain(error: duckdb.Error, paths: VaultPaths) -> VaultError | None:
    """Turn what DuckDB says about the file into one of our errors; None for errors of a query."""
    text = str(error)
    name = paths.database
    if "Could not set lock on file" in text:
        holder = _holder(text)
        return DatabaseHeld(f"{name} is held by {holder}; the journals still grow and nothing is lost", holder)
    if "does not exist" in text and "read-only mode" in text:
        return VaultUnusable(f"there is no {name} yet; nothing has been ingested")
    if "version number" in text or "newer version" in text:
        return NewerVault(f"{name} was written by a newer DuckDB: {_first_line(text)}")
    if "No space left" in text or isinstance(error, duckdb.TransactionException):
        return VaultUnusable(f"{name} cannot be written now ({_first_line(text)}); the journals keep everything")
    if isinstance(error, _DAMAGE_TYPES) and any(word in text for word in _DAMAGE):
        return DatabaseDamaged(
            f"{name} is damaged ({_first_line(text)}); `tablevault rebuild` makes it again from the journals"
        )
    if isinstance(error, duckdb.IOException):
        return VaultUnusable(f"{name} cannot be used: {_first_line(text)}")
    return None


def _holder(text: str) -> str:
    found = _HOLDER.search(text)
    if found is None:
        return "another program"
    program, pid = Path(found[1]).name or "a program", int(found[2])
    with contextlib.suppress(psutil.Error):
        command = [Path(word).name if index == 0 else word for index, word in enumerate(psutil.Process(pid).cmdline())]
        program = " ".join(command[:3])[:80] or program
    return f"{program!r} (pid {pid})"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]


@contextmanager
def open_for_ingest(
    paths: VaultPaths, *, patience: float = PATIENCE, lock_timeout: float = 10.0
) -> Iterator[DuckDBPyConnection]:
    """Open vault.duckdb to write, under the lock that keeps our own programs from getting in each other's way.

    Raises:
        LockBusy: another program of ours has been writing for ``lock_timeout`` seconds.
        DatabaseHeld, DatabaseDamaged, VaultUnusable: as `connect`; the last transaction was rolled back.
    """
    # This process's own lock first, always: two threads that took the two in different order would wait for ever.
    with alone_in_process(), hold(pass_lock(paths), lock_timeout):
        opened = connect(paths, read_only=False, patience=patience)
        try:
            yield opened.connection
        except duckdb.Error as error:
            raise (explain(error, paths) or error) from error
        finally:
            opened.close()
