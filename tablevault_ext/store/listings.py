"""Cells, errors, requests, records, descriptions, as rows. Values never become part of a query's text.

Times are aware UTC datetimes. Every function answers from a snapshot of its own, like those of `queries`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from ..model import CellStatus, Request
from ..paths import VaultPaths
from .process_rows import count_of, find_requests, word_of
from .rows import among, set_variables
from .snapshot import asked_again, open_snapshot

Row = dict[str, Any]


@asked_again
def cells(
    paths: VaultPaths,
    process_id: str | None = None,
    *,
    status: CellStatus | str | None = None,
    limit: int | None = 50,
    offset: int = 0,
) -> list[Row]:
    """Cells, newest first: of one process, or of all."""
    conditions = []
    with open_snapshot(paths) as snapshot:
        if process_id is not None:
            set_variables(snapshot.connection, process_id=process_id)
            conditions.append("process_id = getvariable('process_id')")
        if status is not None:
            set_variables(snapshot.connection, status=word_of(CellStatus, status))
            conditions.append("status = getvariable('status')")
        order = "started_at DESC, seq DESC" if process_id is None else "seq DESC"
        return _rows(snapshot.connection, "SELECT * FROM cells", conditions, order, limit=limit, offset=offset)


@asked_again
def cell_text(paths: VaultPaths, process_id: str, seq: int) -> Row | None:
    """One cell whole: code, traceback, output; None when there is none."""
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, process_id=process_id, seq=int(seq))
        conditions = ["process_id = getvariable('process_id')", "seq = getvariable('seq')"]
        found = _rows(snapshot.connection, "SELECT * FROM cells", conditions, "seq", limit=1)
    return found[0] if found else None


@asked_again
def errors(paths: VaultPaths, process_id: str | None = None, *, limit: int | None = 50) -> list[Row]:
    """Errors of cells, threads, tasks and displays, newest first."""
    return _of_process(paths, "SELECT * FROM errors", process_id, "happened_at DESC", limit)


@asked_again
def requests(paths: VaultPaths, process_id: str | None = None, *, limit: int | None = 50) -> list[Request]:
    """Requests with their receipts, newest first."""
    with open_snapshot(paths) as snapshot:
        conditions = []
        if process_id is not None:
            set_variables(snapshot.connection, process_id=process_id)
            conditions.append("r.process_id = getvariable('process_id')")
        return find_requests(snapshot.connection, conditions, limit=limit)


@asked_again
def record_lists(paths: VaultPaths) -> list[Row]:
    """Every record list, with its columns and how many records it has."""
    with open_snapshot(paths) as snapshot:
        query = """
            SELECT l.*, coalesce(c.records, 0)::BIGINT AS records FROM record_lists l
            LEFT JOIN (SELECT list, sum(records) AS records FROM record_counts GROUP BY list) c ON c.list = l.name
        """
        return _rows(snapshot.connection, query, [], "name")


@asked_again
def records(
    paths: VaultPaths, name: str, *, process_id: str | None = None, limit: int | None = None, offset: int = 0
) -> list[Row]:
    """The records of a list in the order of their appending, each with where it came from.

    ``record`` is the decoded record; its columns are spread by `spread_records`.
    """
    conditions = ["list = getvariable('list')"]
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, list=name)
        if process_id is not None:
            set_variables(snapshot.connection, process_id=process_id)
            conditions.append("process_id = getvariable('process_id')")
        rows = _rows(
            snapshot.connection,
            "SELECT * FROM records",
            conditions,
            "appended_at, process_id, seq",
            limit=limit,
            offset=offset,
        )
    return [row | {"record": json.loads(row["record"])} for row in rows]


def spread_records(rows: Iterable[Row], columns: Sequence[str] = ()) -> list[Row]:
    """Records as rows of columns: a dict by its keys, a list by the list's columns, anything else as ``value``.

    >>> spread_records([{"record": {"epoch": 1}}, {"record": [2, 0.5]}, {"record": 7}], ["epoch", "loss"])
    [{'epoch': 1}, {'epoch': 2, 'loss': 0.5}, {'value': 7}]
    """
    spread: list[Row] = []
    for row in rows:
        record = row["record"]
        if isinstance(record, dict):
            spread.append(record)
        elif isinstance(record, list) and len(record) <= len(columns):
            spread.append(dict(zip(columns, record, strict=False)))
        else:
            spread.append({"value": record})
    return spread


@asked_again
def descriptions(paths: VaultPaths, item_name: str | None = None) -> list[Row]:
    """Descriptions, newest first: of one item, or of all."""
    with open_snapshot(paths) as snapshot:
        conditions = []
        if item_name is not None:
            set_variables(snapshot.connection, item=item_name)
            conditions.append("item_name = getvariable('item')")
        return _rows(snapshot.connection, "SELECT * FROM descriptions", conditions, "described_at DESC")


@asked_again
def notices(paths: VaultPaths, *, limit: int | None = 50) -> list[Row]:
    """What ingest met and people should know, newest first."""
    with open_snapshot(paths) as snapshot:
        return _rows(snapshot.connection, "SELECT * FROM notices", [], "happened_at DESC", limit=limit)


@asked_again
def progress(paths: VaultPaths, process_ids: Sequence[str]) -> list[Row]:
    """The last word of each progress bar of the cells that run now: of each process, the one to be shown first.

    That is the outermost: of those that are not full the one that began first, else the last written.
    """
    with open_snapshot(paths) as snapshot:
        query = _PROGRESS.format(ids=among(process_ids))
        return _rows(snapshot.connection, query, [], _OUTERMOST_FIRST)


_OUTERMOST_FIRST = """
    process_id, coalesce(done >= total, false),
    CASE WHEN coalesce(done >= total, false) THEN -epoch_us(last) ELSE epoch_us(first) END
"""
_PROGRESS = """
    SELECT process_id, "desc", done, total, rate FROM (
        SELECT process_id, "desc", max_by(done, happened_at) AS done, max_by(total, happened_at) AS total,
               max_by(rate, happened_at) AS rate, min(happened_at) AS first, max(happened_at) AS last
        FROM progress JOIN (
            SELECT process_id, min(started_at) AS since FROM cells WHERE status = 'running' GROUP BY process_id
        ) USING (process_id)
        WHERE process_id IN {ids} AND happened_at >= since
        GROUP BY process_id, "desc")
"""


def _of_process(paths: VaultPaths, query: str, process_id: str | None, order: str, limit: int | None) -> list[Row]:
    with open_snapshot(paths) as snapshot:
        conditions = []
        if process_id is not None:
            set_variables(snapshot.connection, process_id=process_id)
            conditions.append("process_id = getvariable('process_id')")
        return _rows(snapshot.connection, query, conditions, order, limit=limit)


def _rows(
    connection: DuckDBPyConnection,
    query: str,
    conditions: Sequence[str],
    order: str,
    *,
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    cursor = connection.execute(f"{query}{where} ORDER BY {order} LIMIT {count_of(limit)} OFFSET {count_of(offset)}")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, map(_aware, row), strict=True)) for row in cursor.fetchall()]


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
