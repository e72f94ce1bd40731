"""Cells, errors, operations and query results as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..model import CellStatus
from ..recording.records import to_plain
from .table import Table, Text, Value
from .words import count, duration, printable, shown

_LOOKS = {
    CellStatus.RUNNING: ("🟢 running", "green"),
    CellStatus.OK: ("✅ ok", "green"),
    CellStatus.ERROR: ("❌ error", "red"),
    CellStatus.ABORTED: ("⏹ aborted", "yellow"),
    CellStatus.LOST: ("❔ lost", "magenta"),
}


def cell_status(word: str) -> Text:
    """A cell's outcome in colour, sign and word."""
    try:
        return Text(*_LOOKS[CellStatus(word)])
    except ValueError:
        return Text(word)


def cell_table(cells: Sequence[dict[str, Any]], title: str = "Cells") -> Table:
    """Cells as the vault has them (rows of ``cells``), one line each."""
    rows: list[Sequence[Value]] = [
        (
            str(cell["seq"]),
            "" if cell["execution_count"] is None else f"[{cell['execution_count']}]",
            cell_status(cell["status"]),
            duration(cell["duration"]),
            shown(cell["code"] or "", 70),
            shown(f"{cell['error_type']}: {cell['error_message']}", 60) if cell["error_type"] else "",
        )
        for cell in cells
    ]
    columns = ("CELL", "IN", "OUTCOME", "TOOK", "CODE", "ERROR")
    right, clipped = frozenset({"CELL"}), frozenset({"CODE", "ERROR"})
    return Table(columns, rows, title=title, empty="No cells.", right=right, clipped=clipped, data=list(cells))


def result_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, most: int | None = None) -> Table:
    """The result of a query; of more than ``most`` rows only the first are shown, and it says so."""
    kept = rows if most is None else rows[:most]
    shown_rows: list[Sequence[Value]] = [tuple(_value(value) for value in row) for row in kept]
    numeric = {name for index, name in enumerate(columns) if kept and all(_is_number(row[index]) for row in kept)}
    notes = [f"{count(len(rows) - len(kept), 'more row')}; --csv and --json give all"] if len(kept) < len(rows) else []
    return Table(columns, shown_rows, empty="No rows.", notes=notes, right=frozenset(numeric), data=list(rows))


def _value(value: Any) -> Value:
    if value is None:
        return Text("NULL", dim=True)
    if isinstance(value, list | dict | tuple):
        value = json.dumps(to_plain(value), ensure_ascii=False)
    return printable(value, keep_lines=True)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
