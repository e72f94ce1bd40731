"""Cells, records, errors and descriptions: from the staging file into their tables, set by set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ..journal.lines import decode_line
from .rows import quote
from .staging import BadLine, Batch

_COLUMNS = {
    "e": "VARCHAR",
    "p": "VARCHAR",
    "n": "BIGINT",
    "at": "BIGINT",
    "seq": "INTEGER",
    "code": "VARCHAR",
    "cell_id": "VARCHAR",
    "execution_count": "INTEGER",
    "private": "BOOLEAN",
    "status": "VARCHAR",
    "duration": "DOUBLE",
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "traceback": "VARCHAR",
    "output_tail": "VARCHAR",
    "source": "VARCHAR",
    "list": "VARCHAR",
    "columns": "VARCHAR[]",
    "cell_seq": "INTEGER",
    "record": "JSON",
    "item": "VARCHAR",
    "name": "VARCHAR",
    "text": "VARCHAR",
    "embedding": "FLOAT[]",
}
_SPEC = "{" + ", ".join(f"{quote(name)}: {quote(kind)}" for name, kind in _COLUMNS.items()) + "}"
_LARGEST_LINE = 2**30
_INCOMPLETE = """
    SELECT count(*) FROM staged WHERE e IS NULL OR p IS NULL OR n IS NULL OR "at" IS NULL
        OR "at" NOT BETWEEN 0 AND 1000000000000000000
        OR (e IN ('cell_started', 'cell_finished', 'cell_output') AND seq IS NULL)
        OR (e IN ('record_appended', 'list_created') AND list IS NULL)
        OR (e = 'described' AND (item IS NULL OR name IS NULL))
"""


def stage(connection: DuckDBPyConnection, batch: Batch) -> None:
    """Read the staging file into the temporary table ``staged``; lines that are no events go to ``batch.bad``.

    To be called outside a transaction: DuckDB gives a transaction up when a statement in it fails.
    """
    if _read(connection, batch.staging):
        return
    # One bad line makes DuckDB refuse the whole file: find the bad ones, then read the others.
    good = []
    for start, line in _lines(batch.staging):
        if decode_line(line) is not None:
            good.append((start, line))
        elif line.strip():
            batch.bad.append(_bad(batch, start, line, "not an event"))
    refused = list(_refused(connection, batch.scratch.file("part"), good))
    batch.bad.extend(_bad(batch, start, line, "an event that the database cannot hold") for start, line in refused)
    starts = {start for start, _ in refused}
    clean = batch.scratch.file("clean")
    _write(clean, [(start, line) for start, line in good if start not in starts])
    if not _read(connection, clean):
        raise duckdb.InvalidInputException("lines that DuckDB took one by one were refused together")


def _read(connection: DuckDBPyConnection, path: Path) -> bool:
    source = "(SELECT * FROM (VALUES (1)) WHERE false)"
    if path.stat().st_size:
        source = (
            f"read_ndjson({quote(str(path))}, columns = {_SPEC}, compression = 'uncompressed', "
            f"maximum_object_size = {_LARGEST_LINE if path.stat().st_size > 2**24 else 2**24})"
        )
        columns = "*"
    else:
        columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in _COLUMNS.items())
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {columns} FROM {source}")  # noqa: S608
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException):
        return False
    incomplete = connection.execute(_INCOMPLETE).fetchone()
    return incomplete == (0,)


def _refused(connection: DuckDBPyConnection, path: Path, lines: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The lines that DuckDB refuses, by halving."""
    _write(path, lines)
    if not lines or _read(connection, path):
        return
    if len(lines) == 1:
        yield lines[0]
        return
    middle = len(lines) // 2
    yield from _refused(connection, path, lines[:middle])
    yield from _refused(connection, path, lines[middle:])


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    start = 0
    with path.open("rb") as file:
        for line in file:
            yield start, line
            start += len(line)


def _write(path: Path, lines: list[tuple[int, bytes]]) -> None:
    with path.open("wb") as file:
        file.writelines(line for _, line in lines)


def _bad(batch: Batch, start: int, line: bytes, reason: str) -> BadLine:
    file, position = batch.origin(start)
    return BadLine(file, position, line[: 2**20], reason)


def apply_bulk(connection: DuckDBPyConnection) -> set[str]:
    """Put what is staged into its tables; the ids of the processes that it came from."""
    counts = dict(connection.execute("SELECT e, count(*) FROM staged GROUP BY e").fetchall())
    if not counts:
        return set()
    late = counts.get("cell_finished", 0)
    if "cell_started" in counts:
        late += _ended_cells(connection)
        connection.execute(_NEW_CELLS)
        late -= _ended_cells(connection)
    # Ends that found their beginning in this very batch are in, and counting them is cheaper than looking for others.
    if late or "cell_output" in counts:
        _update_cells(connection)
    for event, statements in _OTHER_TABLES.items():
        if event in counts:
            for statement in statements:
                connection.execute(statement)
    return {process_id for (process_id,) in connection.execute("SELECT DISTINCT p FROM staged").fetchall()}


_FINISHED = "SELECT * FROM staged WHERE e = 'cell_finished'"
_OUTPUT = "SELECT p, seq, max_by(output_tail, n) AS output_tail FROM staged WHERE e = 'cell_output' GROUP BY p, seq"

_NEW_CELLS = f"""
    INSERT INTO cells (process_id, seq, cell_id, execution_count, code, status, started_at, ended_at, duration,
                       error_type, error_message, traceback, output_tail, private)
    SELECT s.p, s.seq, s.cell_id, coalesce(f.execution_count, s.execution_count), s.code,
           coalesce(f.status, 'running'), make_timestamp(s.at), make_timestamp(f.at), f.duration,
           f.error_type, f.error_message, f.traceback, o.output_tail, coalesce(s.private, false)
    FROM staged s LEFT JOIN ({_FINISHED}) f ON f.p = s.p AND f.seq = s.seq
    LEFT JOIN ({_OUTPUT}) o ON o.p = s.p AND o.seq = s.seq
    WHERE s.e = 'cell_started'
"""  # noqa: S608 - no value of anybody's in it

_LATE = """
    CREATE OR REPLACE TEMP TABLE late AS
    SELECT p, seq, max_by(status, n) FILTER (e = 'cell_finished') AS status,
           max("at") FILTER (e = 'cell_finished') AS ended,
           max(duration) FILTER (e = 'cell_finished') AS duration,
           max(execution_count) FILTER (e = 'cell_finished') AS execution_count,
           max_by(error_type, n) FILTER (e = 'cell_finished') AS error_type,
           max_by(error_message, n) FILTER (e = 'cell_finished') AS error_message,
           max_by(traceback, n) FILTER (e = 'cell_finished') AS traceback,
           max_by(output_tail, n) FILTER (e = 'cell_output') AS output_tail
    FROM staged s WHERE e IN ('cell_finished', 'cell_output')
        AND NOT EXISTS (SELECT 1 FROM staged b WHERE b.e = 'cell_started' AND b.p = s.p AND b.seq = s.seq)
    GROUP BY p, seq
"""
_FINISH_LATE = """
    UPDATE cells SET status = l.status, ended_at = make_timestamp(l.ended), duration = l.duration,
        execution_count = coalesce(l.execution_count, cells.execution_count), error_type = l.error_type,
        error_message = l.error_message, traceback = l.traceback
    FROM late l
    WHERE cells.process_id = l.p AND cells.seq = l.seq AND l.status IS NOT NULL AND cells.ended_at IS NULL
"""
_OUTPUT_LATE = """
    UPDATE cells SET output_tail = l.output_tail FROM late l
    WHERE cells.process_id = l.p AND cells.seq = l.seq AND l.output_tail IS NOT NULL
"""
_HEADLESS = """
    INSERT INTO cells (process_id, seq, execution_count, status, started_at, ended_at, duration,
                       error_type, error_message, traceback, output_tail, private)
    SELECT l.p, l.seq, l.execution_count, l.status,
           make_timestamp(l.ended - coalesce(round(l.duration * 1e6), 0)::BIGINT), make_timestamp(l.ended), l.duration,
           l.error_type, l.error_message, l.traceback, l.output_tail, false
    FROM late l WHERE l.status IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM cells c WHERE c.process_id = l.p AND c.seq = l.seq)
"""


def _ended_cells(connection: DuckDBPyConnection) -> int:
    return int((connection.execute("SELECT count(ended_at) FROM cells").fetchone() or (0,))[0])


def _update_cells(connection: DuckDBPyConnection) -> None:
    """Finish the cells whose beginning came in with an earlier batch."""
    connection.execute(_LATE)
    late = connection.execute("SELECT count(*), count(status), count(output_tail) FROM late").fetchone() or (0, 0, 0)
    if late[1]:
        # The beginning of a cell may have been lost with a damaged line: its end still counts.
        updated = connection.execute(_FINISH_LATE).fetchone() or (0,)
        if updated[0] < late[1]:
            connection.execute(_HEADLESS)
    if late[2]:
        connection.execute(_OUTPUT_LATE)


_OTHER_TABLES: dict[str, tuple[str, ...]] = {
    "record_appended": (
        """
        INSERT INTO records (list, seq, process_id, cell_seq, appended_at, record)
        SELECT s.list, coalesce(c.records, 0) + row_number() OVER (PARTITION BY s.list, s.p ORDER BY s.n) - 1,
               s.p, s.cell_seq, make_timestamp(s.at), coalesce(s.record, 'null'::JSON)
        FROM staged s LEFT JOIN record_counts c ON c.list = s.list AND c.process_id = s.p
        WHERE s.e = 'record_appended'
        """,
        """
        CREATE OR REPLACE TEMP TABLE counted AS
        SELECT s.list, s.p, coalesce(any_value(c.records), 0) + count(*) AS records
        FROM staged s LEFT JOIN record_counts c ON c.list = s.list AND c.process_id = s.p
        WHERE s.e = 'record_appended' GROUP BY s.list, s.p
        """,
        "DELETE FROM record_counts USING counted n WHERE record_counts.list = n.list AND process_id = n.p",
        "INSERT INTO record_counts SELECT list, p, records FROM counted",
    ),
    "list_created": (
        """
        INSERT INTO list_creations (name, columns, created_by, created_at)
        SELECT list, columns, p, make_timestamp("at") FROM staged WHERE e = 'list_created'
        """,
    ),
    "described": (
        """
        INSERT INTO description_history (item_name, name, text, embedding, process_id, described_at, n)
        SELECT item, name, text, embedding, p, make_timestamp("at"), n FROM staged WHERE e = 'described'
        """,
    ),
    "error_seen": (
        """
        INSERT INTO seen_errors (process_id, cell_seq, happened_at, error_type, error_message, traceback, source)
        SELECT p, seq, make_timestamp("at"), error_type, error_message, traceback, source
        FROM staged WHERE e = 'error_seen'
        """,
    ),
}
