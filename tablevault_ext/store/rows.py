"""Values from Python to DuckDB without `executemany`, which is 20 to 40 times slower, and without pandas.

DuckDB's own parameters make it import numpy and pandas, where they are installed: a second of CPU time and 50 MB,
for a process that needs neither. So values travel as one JSON text, quoted here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from duckdb import DuckDBPyConnection

from ..journal.lines import encode_line

MICROSECONDS = "microseconds"
"""The type of a column that is BIGINT microseconds in Python and TIMESTAMP in the table."""

_BATCH = 5_000


def quote(text: str) -> str:
    """A string as an SQL literal.

    >>> quote("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def json_literal(value: Any) -> str:
    """A value of plain JSON types as an SQL literal of its JSON text; no NUL, no lone surrogate gets through."""
    return quote(encode_line({"v": value})[5:-2].decode())


def insert_rows(
    connection: DuckDBPyConnection, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> None:
    """Append rows of plain values to a table; ``columns`` maps names to types, `MICROSECONDS` among them."""
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(
        f'make_timestamp(r."{name}")' if kind is MICROSECONDS else f'r."{name}"' for name, kind in columns.items()
    )
    shape = json.dumps([{name: _json_shape(kind) for name, kind in columns.items()}])
    for start in range(0, len(rows), _BATCH):
        batch = [dict(zip(columns, row, strict=True)) for row in rows[start : start + _BATCH]]
        connection.execute(
            f"INSERT INTO {table} ({names}) SELECT {values} FROM "  # noqa: S608
            f"(SELECT unnest(from_json({json_literal(batch)}, {quote(shape)})) AS r)"
        )


def _json_shape(kind: str) -> Any:
    if kind is MICROSECONDS:
        return "BIGINT"
    return [kind.removesuffix("[]")] if kind.endswith("[]") else kind


def among(values: Collection[str]) -> str:
    """The right side of SQL's IN for these strings."""
    return f"(SELECT unnest(from_json({json_literal(list(values))}, '[\"VARCHAR\"]')))"


def set_variables(connection: DuckDBPyConnection, **values: str | float | list[str] | list[float] | None) -> None:
    """Set SQL variables, which a query reads with ``getvariable('name')``: values never become part of its text."""
    for name, value in values.items():
        kind = '"VARCHAR"'
        if isinstance(value, list):
            kind = '["FLOAT"]' if value and not isinstance(value[0], str) else '["VARCHAR"]'
        elif isinstance(value, int | float):
            kind = '"BIGINT"' if isinstance(value, int) else '"DOUBLE"'
        connection.execute(f"SET VARIABLE {name} = from_json({json_literal(value)}, {quote(kind)})")
