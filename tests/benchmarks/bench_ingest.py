"""Ingest of 100,000 cells against a bare `read_ndjson` insert of the same file. Goal: at least 0.7 times its rate.

    python -m tests.benchmarks.bench_ingest [CELLS]

Also: a pass with one new cell, a pass with nothing new over many journals.
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
from tablevault_ext.store.ingester import ensure_ingester
from tablevault_ext.store.passes import ingest_pass
from tests.store.journals import Recorded, look

PAIRS = 5
CODE = "import pandas as pd\nframe_{0} = pd.DataFrame(range({0}))\nprint(frame_{0}.describe())"


def write_cells(paths: VaultPaths, process_id: str, count: int) -> Path:
    """A journal as a busy notebook writes it."""
    process = Recorded(paths, process_id, process_id)
    for seq in range(count):
        process.begin(seq, CODE.format(seq), execution_count=seq, cell_id=f"cell-{seq}")
        process.finish(seq, execution_count=seq)
    process.end()
    process.close()
    return paths.journal(process_id)


def bare_insert(journal: Path, folder: Path) -> None:
    """The reference: the same file, the same columns, no questions asked."""
    columns = (
        "{e: 'VARCHAR', p: 'VARCHAR', n: 'BIGINT', \"at\": 'BIGINT', seq: 'INTEGER', code: 'VARCHAR', "
        "cell_id: 'VARCHAR', execution_count: 'INTEGER', status: 'VARCHAR', duration: 'DOUBLE', error_type: 'VARCHAR', "
        "error_message: 'VARCHAR', traceback: 'VARCHAR', output_tail: 'VARCHAR'}"
    )
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        connection.execute(f"CREATE TABLE lines AS SELECT * FROM read_ndjson('{journal}', columns = {columns}) LIMIT 0")
        connection.execute(f"INSERT INTO lines SELECT * FROM read_ndjson('{journal}', columns = {columns})")


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def one_pair(count: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = open_vault(folder / "vault")
        ingest_pass(paths)
        journal = write_cells(paths, "p1", count)
        journal.read_bytes()
        bare = seconds(lambda: bare_insert(journal, folder))
        ours = seconds(lambda: ingest_pass(paths))
    return bare, ours


def many_journals(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        paths = open_vault(Path(name) / "vault")
        template = write_cells(paths, "p0", 1).read_bytes()
        for number in range(1, count):
            paths.journal(f"p{number}").write_bytes(template.replace(b'"p0"', f'"p{number}"'.encode()))
        first = seconds(lambda: ingest_pass(paths))
        nothing = statistics.median(seconds(lambda: ingest_pass(paths)) for _ in range(PAIRS))
        process = Recorded(paths, "live", "live")
        ingest_pass(paths)

        def one_more(seq: int) -> float:
            process.cell(seq)
            return seconds(lambda: ingest_pass(paths))

        one = statistics.median(one_more(seq) for seq in range(PAIRS))
    print(
        f"{count} journals: first pass {first:.2f} s, "
        f"nothing new {nothing * 1e3:.0f} ms, one new cell {one * 1e3:.0f} ms"
    )


def visibility() -> None:
    """From a finished cell's line to a plain read-only client that sees it, with the real keeper."""
    with tempfile.TemporaryDirectory() as name:
        paths = open_vault(Path(name) / "vault")
        process = Recorded(paths, "p1")
        ensure_ingester(paths)

        def seen(seq: int) -> float:
            process.cell(seq)
            begin = time.perf_counter()
            while (seq,) not in look(paths, f"SELECT seq FROM cells WHERE seq = {seq} AND status = 'ok'"):
                time.sleep(0.01)
            time.sleep(0.3 * (seq % 5))
            return time.perf_counter() - begin - 0.3 * (seq % 5)

        seen(0)
        waits = [seen(seq) for seq in range(1, 21)]
    print(f"a finished cell is visible after {statistics.median(waits):.2f} s, at most {max(waits):.2f} s (goal < 2)")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    pairs = [one_pair(count) for _ in range(PAIRS)]
    rates = [bare / ours for bare, ours in pairs]
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{count} cells: bare {bare:.3f} s, ingest {ours:.3f} s, rate {statistics.median(rates):.2f} x (goal >= 0.70)"
    )
    many_journals(1)
    many_journals(3_000)
    visibility()


if __name__ == "__main__":
    main()
