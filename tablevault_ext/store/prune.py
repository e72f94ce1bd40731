"""Forget ended processes: their rows, journals, inboxes and logs. First a plan, then the deed."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from ..errors import BadArgument
from ..journal.names import forget_name
from ..journal.reader import compressed
from ..model import Process, now_us
from ..paths import VaultPaths
from .database import open_for_ingest
from .presence import ENDED
from .process_rows import find_processes
from .rows import among
from .schema import ensure_schema
from .snapshot import asked_again, open_snapshot

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What would go: processes that ended before ``before`` (µs since the epoch), their files, ``size`` in bytes."""

    before: int
    processes: list[Process]
    size: int

    def __str__(self) -> str:
        count = len(self.processes)
        return f"{count} ended process{'' if count == 1 else 'es'}, {self.size / 1e6:.1f} MB of journals and logs"


def parse_age(text: str) -> timedelta:
    """A length of time as people write it on a command line: 90d, 12h, 30m, 2w.

    Raises:
        BadArgument: it is none.

    >>> parse_age("90d").days
    90
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text)
    if found is None:
        raise BadArgument(f"{text[:80]!r} is no length of time; write 90d, 12h, 30m or 2w")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


@asked_again
def plan_prune(paths: VaultPaths, older_than: timedelta | float) -> PrunePlan:
    """What would go if everything that ended longer ago than this (seconds, or a timedelta) were forgotten.

    A process that was lost counts from the last line of its journal.

    Raises:
        BadArgument: a negative length of time.
    """
    seconds = older_than.total_seconds() if isinstance(older_than, timedelta) else float(older_than)
    if not seconds >= 0:
        raise BadArgument(f"older_than must be 0 or more, not {older_than}")
    before = now_us() - round(seconds * 1e6)
    with open_snapshot(paths) as snapshot:
        ended = find_processes(snapshot.connection, [f"p.status IN ({ENDED})"])
    processes = [process for process in ended if _ended_at(paths, process) < before]
    size = sum(_size(path) for process in processes for path in _files(paths, process.process_id))
    return PrunePlan(before, processes, size)


def prune(paths: VaultPaths, plan: PrunePlan) -> PrunePlan:
    """Do what a plan says; what went. A process that turns out not to have ended stays.

    Raises:
        DatabaseHeld: another program holds the database; nothing was deleted.
    """
    with open_for_ingest(paths) as connection:
        ensure_schema(connection)
        wanted = {process.process_id: process for process in plan.processes}
        ids = [p.process_id for p in find_processes(connection, [f"p.status IN ({ENDED})"]) if p.process_id in wanted]
        size = sum(_size(path) for process_id in ids for path in _files(paths, process_id))
        _delete_rows(connection, ids)
        # Under the lock still: without its offsets, a journal that is there would be taken in again.
        for process_id in ids:
            for name in {wanted[process_id].name, *wanted[process_id].names} - {""}:
                forget_name(paths, name, process_id)
            for path in _files(paths, process_id):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return PrunePlan(plan.before, [wanted[process_id] for process_id in ids], size)


def _delete_rows(connection: DuckDBPyConnection, ids: list[str]) -> None:
    if not ids:
        return
    these = among(ids)
    tables = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database() "
        "AND column_name IN ('process_id', 'created_by') "
        "AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE database_name = current_database())"
    ).fetchall()
    connection.execute("BEGIN")
    for table, column in tables:
        connection.execute(f"DELETE FROM {table} WHERE {column} IN {these}")  # noqa: S608
    for table in ("offsets", "quarantine"):
        connection.execute(
            f"DELETE FROM {table} WHERE regexp_extract(file, '^(?:journals|inbox)/([^.]*)', 1) IN {these}"  # noqa: S608
        )
    connection.execute("COMMIT")


def _ended_at(paths: VaultPaths, process: Process) -> int:
    if process.ended_at is not None:
        return process.ended_at
    times = [path.stat().st_mtime_ns // 1000 for path in _files(paths, process.process_id) if path.is_file()]
    return max(times, default=process.started_at or 0)


def _files(paths: VaultPaths, process_id: str) -> list[Path]:
    journals = (paths.journal(process_id), paths.wrapper_journal(process_id))
    inbox = paths.inbox(process_id)
    candidates = (
        *journals,
        *(compressed(path) for path in journals),
        inbox,
        inbox.with_suffix(".lock"),
        paths.control_block(process_id),
        paths.wake(process_id),
        paths.logs(process_id),
    )
    return [path for path in candidates if path.exists()]


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(inner.lstat().st_size for inner in path.rglob("*") if inner.is_file())
    return path.stat().st_size
