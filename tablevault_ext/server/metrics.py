"""Record lists as columns of numbers for plots, thinned so that extremes stay."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

from ..panel.stored import notice_in
from ..panel.wire import Json, moment
from ..paths import VaultPaths
from ..store.rows import set_variables
from ..store.snapshot import Snapshot, open_snapshot
from .cells import rows

X_COLUMNS = ("step", "epoch", "iteration", "batch", "index")
_MOST_LISTS, _MOST_COLUMNS = 50, 32
_LAST = 4000  # characters

_LISTS = """
    SELECT r.list AS name, any_value(l.columns) AS columns, count(*) AS rows, max(r.appended_at) AS updated_at,
           arg_max(r.record, r.seq) AS last
    FROM records r LEFT JOIN record_lists l ON l.name = r.list
    WHERE r.process_id = getvariable('process_id') AND (getvariable('list') IS NULL OR r.list = getvariable('list'))
    GROUP BY r.list ORDER BY updated_at DESC, name LIMIT 50
"""


def read_metrics(paths: VaultPaths, process_id: str, *, only: str | None, points: int) -> Json:
    """The contract's record lists, latest written first."""
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, process_id=process_id, list=only)
        lists = [_list(snapshot, process_id, row, points) for row in rows(snapshot, _LISTS)[:_MOST_LISTS]]
        return {"lists": lists, "notice": notice_in(snapshot)}


def _list(snapshot: Snapshot, process_id: str, row: Json, points: int) -> Json:
    last = json.loads(row["last"]) if row["last"] else None
    columns = list(row["columns"] or ()) or (list(last) if isinstance(last, dict) else ["value"])
    shown = _thinned(snapshot, process_id, row["name"], columns[:_MOST_COLUMNS], points)
    steps = [values.pop(0) for values in shown]
    series = {}
    for at, name in enumerate(columns[:_MOST_COLUMNS]):
        values = [_finite(each[at]) for each in shown]
        if any(value is not None for value in values):
            series[name] = values
    x_name = _x_column(series)
    x = {"name": x_name, "values": series.pop(x_name)} if x_name else {"name": "row", "values": steps}
    return {
        "name": row["name"],
        "columns": columns,
        "rows": row["rows"],
        "updated_at": moment(row["updated_at"]),
        "x": x,
        "series": [{"name": name, "values": values} for name, values in series.items()],
        "last": last if len(row["last"] or "") <= _LAST else row["last"][:_LAST] + "…",
    }


def _thinned(
    snapshot: Snapshot, process_id: str, name: str, columns: list[str], points: int
) -> list[list[float | None]]:
    """Rows of (number of the record, value of each column), in order; at most ``points`` or two a column."""
    numbers = range(len(columns))
    values = ", ".join(
        f"TRY_CAST(CASE json_type(record) WHEN 'OBJECT' THEN json_extract_string(record, $key{n:d})"
        f" WHEN 'ARRAY' THEN json_extract_string(record, '$[{n:d}]')"
        f" ELSE {'json_extract_string(record, chr(36))' if n == 0 else 'NULL'} END AS DOUBLE) AS v{n:d}"
        for n in numbers
    )
    extremes = ", ".join(f"arg_min(seq, v{n:d}), arg_max(seq, v{n:d})" for n in numbers)
    query = f"""
        WITH valued AS (
            SELECT seq, {values} FROM records WHERE process_id = $process_id AND list = $list
        ), numbered AS (SELECT *, ntile($stretches) OVER (ORDER BY seq) AS stretch FROM valued),
        kept AS (
            SELECT seq FROM valued WHERE (SELECT count(*) FROM valued) <= $points
            UNION SELECT unnest([min(seq), {extremes}]) FROM numbered GROUP BY stretch
        )
        SELECT seq, {", ".join(f"v{n:d}" for n in numbers)} FROM valued
        WHERE seq IN (SELECT seq FROM kept) ORDER BY seq
    """  # noqa: S608 - only numbers are pasted
    parameters: dict[str, Any] = {"process_id": process_id, "list": name, "points": points}
    parameters |= {"stretches": max(points // (2 * len(columns) + 1), 1)}
    parameters |= {f"key{n}": '$."' + str(column).replace('"', "") + '"' for n, column in enumerate(columns)}
    return [list(row) for row in snapshot.connection.execute(query, parameters).fetchall()]


def _x_column(series: dict[str, list[float | None]]) -> str | None:
    """The column to plot against: of a name that says so, and never falling."""
    for wanted in X_COLUMNS:
        for name, values in series.items():
            if name.casefold() == wanted and _never_falls(values):
                return name
    return None


def _never_falls(values: list[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return len(known) == len(values) and all(before <= after for before, after in pairwise(known))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
