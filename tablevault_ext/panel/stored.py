"""What the database knows of the processes of the list: for those that are over it is all there is to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import Process
from ..paths import VaultPaths
from ..store.presence import ENDED
from ..store.process_rows import find_processes
from ..store.rows import among, set_variables
from ..store.snapshot import Snapshot, open_snapshot
from .facts import Bar, Facts
from .wire import Json, notice_of_snapshot

if TYPE_CHECKING:
    from .board import Board

Stored = tuple[Process, Facts]


def stored_processes(paths: VaultPaths, since: float) -> tuple[dict[str, Stored | None], Json | None]:
    """The processes that live (as None: their own files say more) or ended after ``since`` (seconds since the epoch).

    With it comes the notice why the answer may be incomplete.

    Raises:
        VaultUnusable: the vault was made by a newer version, or may not be read.
    """
    with open_snapshot(paths) as snapshot:
        connection = snapshot.connection
        set_variables(connection, border=int(since * 1e6))
        # What is lost has no end; how long ago that was is seen from its files.
        conditions = [
            f"(p.status NOT IN ({ENDED}) OR coalesce(p.ended_at, p.started_at) >= make_timestamp(getvariable('border'))"
            " OR p.status = 'lost')"
        ]
        processes = find_processes(connection, conditions)
        facts = _facts(snapshot, [p.process_id for p in processes if p.status.ended])
        found: dict[str, Stored | None] = {
            p.process_id: (p, facts[p.process_id]) if p.status.ended else None for p in processes
        }
        return found, notice_in(snapshot)


def notice_in(snapshot: Snapshot) -> Json | None:
    """Why an answer from this snapshot may be incomplete."""
    for each in snapshot.notices:
        return notice_of_snapshot(each.kind, each.message, each.holder)
    return None


def _facts(snapshot: Snapshot, process_ids: list[str]) -> dict[str, Facts]:
    facts = {process_id: Facts() for process_id in process_ids}

    def rows(query: str) -> list[tuple[Any, ...]]:
        return snapshot.connection.execute(query.format(ids=among(process_ids))).fetchall()

    if process_ids:
        for process_id, cells, errors in rows(_CELLS):
            facts[process_id].cells, facts[process_id].errors = cells, errors
        for process_id, errors in rows(_ERRORS):
            facts[process_id].errors += errors
        for process_id, desc, done, total, rate, at in rows(_PROGRESS):
            facts[process_id].bars[desc or ""] = Bar(desc, done or 0, total, rate, at)
    return facts


_CELLS = """
    SELECT process_id, count(*), count(*) FILTER (error_type IS NOT NULL) FROM cells
    WHERE process_id IN {ids} GROUP BY process_id
"""
_ERRORS = "SELECT process_id, count(*) FROM seen_errors WHERE process_id IN {ids} GROUP BY process_id"
_PROGRESS = """
    SELECT process_id, "desc", done, total, rate, epoch_us(happened_at) FROM progress WHERE process_id IN {ids}
    QUALIFY row_number() OVER (PARTITION BY process_id ORDER BY happened_at DESC) = 1
"""


def process_of_request(paths: VaultPaths, request_id: str) -> str | None:
    """The process that a request was made to."""
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, request=request_id)
        query = "SELECT process_id FROM requests WHERE request_id = getvariable('request')"
        found = snapshot.connection.execute(query).fetchone()
    return None if found is None else str(found[0])


def children_of(board: Board, process_id: str) -> tuple[list[Json], Json | None]:
    """The recorded processes whose parent is this one, newest first, whenever they ended; and the notice."""
    with open_snapshot(board.paths) as snapshot:
        set_variables(snapshot.connection, parent=process_id)
        found = find_processes(snapshot.connection, ["p.parent_id = getvariable('parent')"])
        said = notice_in(snapshot)
    return [board.json_of(board.entry(process.process_id)) for process in found], said
