"""Queries over 1,000,000 cells against the same in bare DuckDB on a connection that is open already.

    python -m tests.benchmarks.bench_queries [CELLS]

Goals: `query_process_list(code_text=…)`, opening included, at most 1.5 times bare `contains`; the latest 50 cells
at most 50 ms beyond bare. Also: a pass that finishes a cell in such a vault.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from tablevault_ext.paths import VaultPaths, open_vault
from tablevault_ext.store import listings, queries
from tablevault_ext.store.passes import ingest_pass
from tests.store.journals import Recorded

PAIRS = 9
NEEDLE = "frame_777777 ="
CODE = """import pandas as pd
from experiments.group_{1} import load, step, report
frame_{0} = pd.DataFrame(load('data/part-{1}.parquet'))
for epoch, batch in enumerate(frame_{0}.groupby('batch_{2}')):
    loss = step(batch, learning_rate={3}, momentum=0.9)
    if epoch % 10 == 0:
        print(f'epoch {{epoch}}: loss {{loss:.4f}}')
report(frame_{0}.describe(), name='run {0}', tags=['group_{1}', 'batch_{2}'])"""


def fill(paths: VaultPaths, cells: int) -> None:
    """1,000 ended processes with as many cells as asked for, straight into the tables."""
    Recorded(paths, "p0", "template").end()
    ingest_pass(paths)
    with duckdb.connect(str(paths.database)) as connection:
        connection.execute(
            "INSERT INTO processes SELECT p.* REPLACE ('q' || i AS process_id, 'name' || i AS name) "
            "FROM processes p, range(1000) t(i)"
        )
        connection.execute(
            """
            INSERT INTO cells SELECT 'q' || (i // (? // 1000)), i % (? // 1000), 'cell-' || i, i,
                format(?, i, i % 977, i % 31, random()), 'ok', make_timestamp(1700000000000000 + i * 1000000),
                make_timestamp(1700000000500000 + i * 1000000), 0.5, NULL, NULL, NULL, 'output ' || i, false
            FROM range(?) t(i)
            """,
            [cells, cells, CODE, cells],
        )


def milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def compare(paths: VaultPaths, bare: str, ours: Callable[[], object]) -> tuple[float, float, float]:
    """Medians of paired runs: bare, ours, and of their ratio."""
    pairs = []
    for _ in range(PAIRS):
        with duckdb.connect(str(paths.database), read_only=True) as connection:
            connection.execute(bare).fetchall()  # an open connection has read everything before
            reference = milliseconds(lambda connection=connection: connection.execute(bare).fetchall())
        pairs.append((reference, milliseconds(ours)))
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second, statistics.median(own / reference for reference, own in pairs)


def main() -> None:
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        paths = open_vault(Path(folder) / "vault")
        fill(paths, cells)
        print(f"{cells} cells, {paths.database.stat().st_size / 1e6:.0f} MB")
        bare, ours, ratio = compare(
            paths,
            f"SELECT DISTINCT process_id FROM cells WHERE contains(code, '{NEEDLE}')",
            lambda: queries.query_process_list(paths, code_text=NEEDLE),
        )
        print(f"query_process_list(code_text): bare {bare:.0f} ms, ours {ours:.0f} ms, {ratio:.2f} x (goal <= 1.5)")
        bare, ours, _ = compare(
            paths, "SELECT * FROM cells ORDER BY started_at DESC LIMIT 50", lambda: listings.cells(paths, limit=50)
        )
        print(f"latest 50 cells: bare {bare:.0f} ms, ours {ours:.0f} ms, {ours - bare:.0f} ms beyond (goal <= 50)")
        bare, ours, _ = compare(
            paths,
            "SELECT * FROM cells WHERE process_id = 'q500' ORDER BY seq DESC LIMIT 50",
            lambda: listings.cells(paths, "q500", limit=50),
        )
        print(f"latest 50 of one process: bare {bare:.0f} ms, ours {ours:.0f} ms, {ours - bare:.0f} ms beyond")
        _, ours, _ = compare(paths, "SELECT 1", lambda: queries.list_processes(paths, live_only=False))
        print(f"list of 1,000 processes: {ours:.0f} ms")
        process = Recorded(paths, "live", "live")
        begun, ended = [], []
        for seq in range(PAIRS):
            process.begin(seq)
            begun.append(milliseconds(lambda: ingest_pass(paths)))
            process.finish(seq)
            ended.append(milliseconds(lambda: ingest_pass(paths)))
        print(f"pass with a new cell {statistics.median(begun):.0f} ms, with its end {statistics.median(ended):.0f} ms")


if __name__ == "__main__":
    main()
