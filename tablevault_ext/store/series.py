"""Record lists as series of numbers, thinned for plots."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import BadArgument
from ..paths import VaultPaths
from .snapshot import asked_again, open_snapshot


@dataclass(frozen=True, slots=True)
class Series:
    """One number over time: ``t`` seconds since the epoch, ``step`` the record's number, ``value``.

    ``total`` points exist; these are the extremes of equal stretches of them, so that peaks stay.
    """

    record_list: str
    key: str
    t: list[float]
    step: list[int]
    value: list[float]
    total: int


_NUMBERS = """
    WITH pairs AS (
        SELECT list, seq, appended_at, record, unnest(json_keys(record)) AS key FROM records
        WHERE process_id = $process_id AND json_type(record) = 'OBJECT'
    ), points AS (
        SELECT list AS list_name, key, seq, epoch(appended_at) AS moment,
               TRY_CAST(json_extract_string(record, '$."' || key || '"') AS DOUBLE) AS value
        FROM pairs WHERE NOT contains(key, '"')
        UNION ALL
        SELECT list, '', seq, epoch(appended_at), TRY_CAST(record AS DOUBLE) FROM records
        WHERE process_id = $process_id AND json_type(record) IN ('DOUBLE', 'BIGINT', 'UBIGINT')
    ), numbered AS (
        SELECT *, ntile($stretches) OVER (PARTITION BY list_name, key ORDER BY seq) AS stretch,
               count(*) OVER (PARTITION BY list_name, key) AS total
        FROM points WHERE value IS NOT NULL
    )
    SELECT list_name, key, any_value(total),
           arg_min(struct_pack(moment := moment, seq := seq, value := value), value),
           arg_max(struct_pack(moment := moment, seq := seq, value := value), value)
    FROM numbered GROUP BY list_name, key, stretch ORDER BY list_name, key, stretch
"""


@asked_again
def metric_series(paths: VaultPaths, process_id: str, *, points: int = 500) -> list[Series]:
    """Every number in a process's record lists, as series of at most ``points`` points.

    Raises:
        BadArgument: ``points`` below 2.
    """
    if points < 2:
        raise BadArgument("a series needs room for at least 2 points")
    with open_snapshot(paths) as snapshot:
        rows = snapshot.connection.execute(
            _NUMBERS, {"process_id": process_id, "stretches": max(1, points // 2)}
        ).fetchall()
    found: dict[tuple[str, str], Series] = {}
    for list_name, key, total, lowest, highest in rows:
        series = found.setdefault((list_name, key), Series(list_name, key, [], [], [], total))
        for point in sorted((lowest, highest), key=lambda each: each["seq"]):
            if (series.step and series.step[-1] == point["seq"]) or not math.isfinite(point["value"]):
                continue
            series.t.append(point["moment"])
            series.step.append(point["seq"])
            series.value.append(point["value"])
    return list(found.values())
