"""CPU, memory and threads of a process over time: what the vault keeps, and the finer last two minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..panel.entry import Entry
from ..panel.stored import notice_in
from ..panel.wire import Json
from ..paths import VaultPaths
from ..store.rows import set_variables
from ..store.snapshot import Snapshot, open_snapshot

_COLUMNS = ("t", "cpu", "rss", "threads")
Row = tuple[float, float | None, float | None, float | None]  # t, cpu, rss, threads

# Of each stretch of time the rows with the most CPU and the most memory: peaks are what one looks for.
_SAMPLES = """
    WITH kept AS (
        SELECT epoch(happened_at) AS t, cpu, rss, threads FROM samples
        WHERE process_id = getvariable('process_id') AND json_extract(detail, '$.peaks') IS NULL
    ), near AS (
        SELECT * FROM kept WHERE t >= (SELECT max(t) FROM kept) - getvariable('seconds')
    ), numbered AS (
        SELECT *, ntile(getvariable('stretches')) OVER (ORDER BY t) AS stretch FROM near
    )
    SELECT unnest([arg_max(point, coalesce(cpu, 0)), arg_max(point, coalesce(rss, 0))])
    FROM (SELECT *, [t, cpu, rss, threads] AS point FROM numbered) GROUP BY stretch
"""


def read_usage(paths: VaultPaths, entry: Entry, *, seconds: float, points: int) -> Json:
    """The contract's columns: at most ``points`` points of the last ``seconds`` seconds that were sampled."""
    with open_snapshot(paths) as snapshot:
        kept = _stored(snapshot, entry.process_id, seconds, points)
        notice = notice_in(snapshot)
    last = {key: [] if entry.ended else entry.samples[key] for key in _COLUMNS}
    fresh: list[Row] = list(zip(*(last[key] for key in _COLUMNS), strict=True))
    begin = fresh[0][0] if fresh else float("inf")
    every = [row for row in kept if row[0] < begin] + fresh
    end = every[-1][0] if every else 0.0
    shown = thin([row for row in every if row[0] >= end - seconds], points)
    columns: list[list[Any]] = [list(column) for column in zip(*shown, strict=True)] or [[], [], [], []]
    return dict(zip(_COLUMNS, columns, strict=True)) | {"notice": notice}


def _stored(snapshot: Snapshot, process_id: str, seconds: float, points: int) -> list[Row]:
    stretches = max(points // 2, 1)
    set_variables(snapshot.connection, process_id=process_id, seconds=float(seconds), stretches=stretches)
    found = {tuple(row[0]) for row in snapshot.connection.execute(_SAMPLES).fetchall() if row[0]}
    return sorted(found)


def thin(rows: Sequence[Row], points: int) -> list[Row]:
    """At most so many rows, of each stretch those with the most CPU and the most memory.

    >>> thin([(t, 90.0 if t == 7 else 1.0, 5.0, 1.0) for t in range(100)], 10)[0][0]
    0
    >>> 7 in [t for t, *_ in thin([(t, 90.0 if t == 7 else 1.0, 5.0, 1.0) for t in range(100)], 10)]
    True
    """
    if len(rows) <= points:
        return list(rows)
    stretches = max(points // 2, 1)
    kept = set()
    for number in range(stretches):
        begin, end = number * len(rows) // stretches, (number + 1) * len(rows) // stretches
        for column in (1, 2):
            kept.add(max(range(begin, end), key=lambda at: rows[at][column] or 0.0))
    return [rows[at] for at in sorted(kept)]
