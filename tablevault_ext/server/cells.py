"""Cells and errors of one process, page by page."""

from __future__ import annotations

from typing import Any

from ..panel.stored import notice_in
from ..panel.wire import Json, cell_json, error_json
from ..paths import VaultPaths
from ..store.rows import set_variables
from ..store.snapshot import Snapshot, open_snapshot

# What a list shows of a text is cut where it lies: a cell may hold 50 MB.
_CELLS = """
    SELECT * REPLACE (left(code, 4001) AS code, right(output_tail, 1000) AS output_tail) FROM cells
    WHERE process_id = getvariable('process_id') AND seq < getvariable('before')
      AND (getvariable('text') = '' OR contains(code, getvariable('text')))
    ORDER BY seq DESC LIMIT getvariable('most')
"""
_ONE = "SELECT * FROM cells WHERE process_id = getvariable('process_id') AND seq = getvariable('seq')"
_COUNT = "SELECT count(*) FROM cells WHERE process_id = getvariable('process_id')"
_ERRORS = """
    SELECT e.cell_seq, c.cell_id, c.execution_count, e.source, e.error_type, e.error_message, e.traceback, e.happened_at
    FROM errors e LEFT JOIN cells c ON c.process_id = e.process_id AND c.seq = e.cell_seq
    WHERE e.process_id = getvariable('process_id') ORDER BY e.happened_at DESC, e.cell_seq DESC
    LIMIT getvariable('most')
"""
_COUNT_ERRORS = "SELECT count(*) FROM errors WHERE process_id = getvariable('process_id')"


def read_cells(paths: VaultPaths, process_id: str, *, before: int | None, limit: int, text: str) -> Json:
    """The latest cells with a smaller number than ``before`` whose code contains ``text``."""
    with open_snapshot(paths) as snapshot:
        border = 2**31 if before is None else before
        set_variables(snapshot.connection, process_id=process_id, before=border, most=limit + 1, text=text)
        found = rows(snapshot, _CELLS)
        return {
            "cells": [cell_json(row, whole=False) for row in found[:limit]],
            "total": rows(snapshot, _COUNT)[0]["count_star()"],
            "more": len(found) > limit,
            "notice": notice_in(snapshot),
        }


def read_cell(paths: VaultPaths, process_id: str, seq: int) -> Json | None:
    """One cell whole; None if there is none."""
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, process_id=process_id, seq=seq)
        found = rows(snapshot, _ONE)
    return cell_json(found[0], whole=True) if found else None


def last_cell(snapshot: Snapshot, process_id: str) -> Json | None:
    """The latest cell, as a list shows it."""
    set_variables(snapshot.connection, process_id=process_id, before=2**31, most=1, text="")
    found = rows(snapshot, _CELLS)
    return cell_json(found[0], whole=False) if found else None


def read_errors(paths: VaultPaths, process_id: str, *, limit: int) -> Json:
    """The latest errors of cells, scripts, threads and tasks."""
    with open_snapshot(paths) as snapshot:
        return {
            "errors": errors_in(snapshot, process_id, limit),
            "total": rows(snapshot, _COUNT_ERRORS)[0]["count_star()"],
            "notice": notice_in(snapshot),
        }


def errors_in(snapshot: Snapshot, process_id: str, limit: int) -> list[Json]:
    set_variables(snapshot.connection, process_id=process_id, most=limit)
    return [error_json(row) for row in rows(snapshot, _ERRORS)]


def rows(snapshot: Snapshot, query: str, parameters: Any = None) -> list[dict[str, Any]]:
    cursor = snapshot.connection.execute(query, parameters)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
