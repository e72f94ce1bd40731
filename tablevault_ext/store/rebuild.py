"""Make vault.duckdb again from the journals."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ..errors import DatabaseDamaged
from ..journal.locks import hold
from ..paths import VaultPaths
from .database import PATIENCE, connect, pass_lock
from .engine import alone_in_process
from .ingest import Ingested, ingest_batch
from .offsets import list_sources
from .schema import ensure_schema, stored_version
from .staging import Notice

Progress = Callable[[int, int], None]

_OTHERS_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it: counts, what was met on the way, and where the damaged file is kept, if it was one."""

    processes: int
    cells: int
    bytes_read: int
    notices: list[Notice] = field(default_factory=list)
    kept: Path | None = None


def rebuild(paths: VaultPaths, progress: Progress | None = None) -> Rebuilt:
    """Make the database anew beside the old one, then put it in its place at once.

    Whoever dies meanwhile leaves the old file. A damaged one is kept as ``vault.duckdb.damaged-<time>``. What
    only the old file knew, because its journals were deleted, is gone after this.

    Args:
        progress: called with bytes read so far and bytes in all (compressed journals count by their size on disk).

    Raises:
        DatabaseHeld: another program holds the database; nothing was changed.
        VaultUnusable: the vault was made by a newer version, or cannot be written; nothing was changed.
    """
    fresh = paths.database.with_name("vault.duckdb.new")
    with alone_in_process(), hold(pass_lock(paths), _OTHERS_TIMEOUT):
        _remove(fresh)
        try:
            with _others_kept_out(paths) as damaged:
                rebuilt = _build(paths, fresh, progress)
            kept = _keep(paths.database) if damaged else None
            # A log of the old file must not be applied to the new one.
            _wal(paths.database).unlink(missing_ok=True)
            fresh.replace(paths.database)
        except BaseException:
            _remove(fresh)
            raise
    return replace(rebuilt, kept=kept)


@contextmanager
def _others_kept_out(paths: VaultPaths) -> Iterator[bool]:
    """Hold the old file while the new one is made; yields whether the old one is damaged."""
    opened = None
    damaged = False
    try:
        if paths.database.exists():
            try:
                opened = connect(paths, read_only=False, patience=PATIENCE, private=True)
                stored_version(opened.connection)
                damaged = not _is_readable(opened.connection)
            except DatabaseDamaged:
                damaged = True
        yield damaged
    finally:
        if opened is not None:
            opened.close()


def _is_readable(connection: DuckDBPyConnection) -> bool:
    """Whether every block of every table can be read."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()")
    try:
        for (table,) in tables.fetchall():
            connection.execute(f'SELECT bit_xor(hash(t)) FROM "{table}" t').fetchall()  # noqa: S608
    except duckdb.Error:
        return False
    return True


def _build(paths: VaultPaths, fresh: Path, progress: Progress | None) -> Rebuilt:
    total = sum(entry.stat().st_size for _, entry in list_sources(paths))
    sofar = Ingested()
    opened = connect(paths, read_only=False, file=fresh, private=True)
    connection = opened.connection
    try:
        ensure_schema(connection)
        while True:
            done = ingest_batch(connection, paths, None)
            sofar.add(done)
            if progress is not None:
                progress(min(sofar.bytes_read, total), total)
            if not done.more:
                break
        counts = connection.execute("SELECT (SELECT count(*) FROM processes), (SELECT count(*) FROM cells)").fetchone()
    finally:
        opened.close()
    processes, cells = counts or (0, 0)
    return Rebuilt(processes, cells, sofar.bytes_read, sofar.notices)


def _keep(database: Path) -> Path:
    """Give the damaged file a second name, so that it stays when the new one takes its own."""
    kept = database.with_name(f"{database.name}.damaged-{datetime.now():%Y%m%dT%H%M%S%f}")
    os.link(database, kept)
    with contextlib.suppress(FileNotFoundError):
        os.link(_wal(database), _wal(kept))
    return kept


def _wal(database: Path) -> Path:
    return database.with_name(database.name + ".wal")


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    _wal(database).unlink(missing_ok=True)
