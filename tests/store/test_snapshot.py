"""A query answers from what it can, says so, and blocks nobody."""

from __future__ import annotations

import gc
import gzip
import os
import threading

import duckdb
import pytest

from tablevault_ext.errors import BadArgument
from tablevault_ext.journal.reader import compressed
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store import queries
from tablevault_ext.store.passes import ingest_pass
from tablevault_ext.store.rebuild import rebuild
from tablevault_ext.store.snapshot import open_snapshot, run_sql, run_sql_with_notices

from .journals import Recorded, held_by_another_program, look

COUNT = "SELECT count(*) FROM cells"


def test_a_query_is_never_stale(vault: VaultPaths) -> None:
    """What is in a journal but not yet in the file is ingested first."""
    process = Recorded(vault, "p1")
    for seq in range(3):
        process.cell(seq)
        assert run_sql(vault, COUNT).fetchall() == [(seq + 1,)]


def test_the_result_outlives_the_file(vault: VaultPaths) -> None:
    """The file is free while the relation is used: others can write."""
    Recorded(vault, "p1").cell(0, "kept")
    relation = run_sql(vault, "SELECT code, seq, started_at FROM cells")
    gc.collect()
    with duckdb.connect(str(vault.database)) as other:
        other.execute("CREATE TABLE mine (x INTEGER)")
    assert relation.df()["code"].tolist() == ["kept"]
    assert relation.columns == ["code", "seq", "started_at"]
    assert relation.filter("seq = 0").aggregate("count(*)").fetchall() == [(1,)]
    assert "kept" in str(relation)


def test_types_names_and_order_stay(vault: VaultPaths) -> None:
    """What DuckDB would have given."""
    relation = run_sql(vault, "SELECT x, x AS y, [x] AS z, {'a': x} AS s FROM range(5) t(x) ORDER BY x DESC")
    assert relation.fetchall()[:2] == [(4, 4, [4], {"a": 4}), (3, 3, [3], {"a": 3})]
    assert [str(t) for t in relation.types] == ["BIGINT", "BIGINT", "BIGINT[]", "STRUCT(a BIGINT)"]


@pytest.mark.parametrize("parameters", [["it's 🧪\n\x00"], {"text": "it's 🧪\n\x00"}])
def test_parameters_are_bound(vault: VaultPaths, parameters: object) -> None:
    """Positional and named ones; text of any kind is text."""
    Recorded(vault, "p1").cell(0, "it's 🧪\n\x00")
    mark = "$text" if isinstance(parameters, dict) else "?"
    assert run_sql(vault, f"SELECT seq FROM cells WHERE code = {mark}", parameters).fetchall() == [(0,)]


@pytest.mark.parametrize(
    "query",
    [
        "SHOW TABLES",
        "DESCRIBE cells",
        "SUMMARIZE cells",
        "FROM cells",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a -- done",
        "EXPLAIN SELECT * FROM cells",
        "PRAGMA table_info('cells')",
        "VALUES (1), (2);",
        "PIVOT cells ON status USING count(*)",
        "SET threads = 1; SELECT 1",
    ],
)
def test_whatever_reads_is_allowed(vault: VaultPaths, query: str) -> None:
    """Not only SELECT."""
    Recorded(vault, "p1").cell(0)
    assert run_sql(vault, query).fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE cells",
        "DELETE FROM cells",
        "UPDATE cells SET code = ''",
        "INSERT INTO cells SELECT * FROM cells",
        "SELECT 1; DROP TABLE cells",
        "CREATE TABLE mine (x INTEGER)",
        "WITH gone AS (SELECT 1) DELETE FROM cells",
        "ATTACH 'other.duckdb'",
        "",
        "-- nothing",
    ],
)
def test_whatever_writes_is_refused(vault: VaultPaths, query: str) -> None:
    """With a clear word, before anything ran."""
    Recorded(vault, "p1").cell(0)
    with pytest.raises(BadArgument):
        run_sql(vault, query)
    assert run_sql(vault, COUNT).fetchall() == [(1,)]


def test_an_error_is_told_in_terms_of_the_users_query(vault: VaultPaths) -> None:
    """Not of what we made of it; and a misspelt table is not looked up among our variables."""
    with pytest.raises(duckdb.Error, match="paths does not exist") as caught:
        run_sql(vault, "SELECT * FROM paths")
    assert "CREATE TABLE" not in str(caught.value)


def test_somebody_writes(vault: VaultPaths, caplog: pytest.LogCaptureFixture) -> None:
    """Recording goes on, queries answer from the journals and name the holder; afterwards everything is there."""
    process = Recorded(vault, "p1")
    process.cell(0, "before")
    ingest_pass(vault)
    with held_by_another_program(vault) as pid:
        process.cell(1, "meanwhile")
        relation, notices = run_sql_with_notices(vault, "SELECT code FROM cells ORDER BY seq")
        assert relation.fetchall() == [("before",), ("meanwhile",)]
        (notice,) = notices
        assert notice.kind == "held" and f"pid {pid}" in notice.holder and "python" in notice.holder
        assert notice.holder in caplog.text
        assert [p.name for p in queries.list_processes(vault)] == ["train"]
    assert run_sql_with_notices(vault, COUNT)[1] == []
    assert look(vault, COUNT) == [(2,)]


def test_somebody_reads(vault: VaultPaths) -> None:
    """The file and the tails of the journals together; compressed journals are in the file already."""
    old = Recorded(vault, "p0", "old")
    old.cell(0)
    old.end()
    process = Recorded(vault, "p1")
    process.begin(0, "long")
    ingest_pass(vault)
    journal = vault.journal("p0")
    compressed(journal).write_bytes(gzip.compress(journal.read_bytes()))
    journal.unlink()
    with held_by_another_program(vault, read_only=True) as pid:
        assert run_sql_with_notices(vault, COUNT)[1] == [], "nothing new: the file says it all"
        process.finish(0)
        relation, (notice,) = run_sql_with_notices(vault, "SELECT process_id, status FROM cells ORDER BY ALL")
        assert relation.fetchall() == [("p0", "ok"), ("p1", "ok")]
        assert f"pid {pid}" in notice.holder
        assert look(vault, "SELECT status FROM cells WHERE process_id = 'p1'") == [("running",)]


def test_compressed_journals_answer_too(vault: VaultPaths) -> None:
    """While somebody writes, the answer holds what was compressed long ago."""
    Recorded(vault, "p1").cell(0, "long ago")
    ingest_pass(vault)
    journal = vault.journal("p1")
    compressed(journal).write_bytes(gzip.compress(journal.read_bytes()))
    journal.unlink()
    with held_by_another_program(vault):
        assert run_sql(vault, "SELECT code FROM cells").fetchall() == [("long ago",)]


@pytest.mark.parametrize("options", [{}, {"read_only": True}, {"config": {"threads": "1"}}], ids=str)
def test_the_user_has_it_open_in_this_very_process(vault: VaultPaths, options: dict[str, object]) -> None:
    """It works, or says what to close; and the user's connection goes on."""
    process = Recorded(vault, "p1")
    process.cell(0)
    ingest_pass(vault)
    with duckdb.connect(str(vault.database), **options) as mine:
        process.cell(1)
        relation, notices = run_sql_with_notices(vault, COUNT)
        assert relation.fetchall() == [(2,)]
        assert all("this very process" in notice.holder for notice in notices)
        assert bool(notices) == bool(options)
        assert mine.execute(COUNT).fetchall() == [(2 if not options else 1,)]
    assert run_sql(vault, COUNT).fetchall() == [(2,)]


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty"])
def test_a_damaged_file(vault: VaultPaths, damage: str) -> None:
    """The journals answer, and the notice says what to do."""
    Recorded(vault, "p1").cell(0)
    ingest_pass(vault)
    if damage == "garbage":
        vault.database.write_bytes(b"garbage" * 5_000)
    else:
        os.truncate(vault.database, 0 if damage == "empty" else 30_000)
    relation, (notice,) = run_sql_with_notices(vault, COUNT)
    assert relation.fetchall() == [(1,)]
    assert notice.kind == "damaged" and "tablevault rebuild" in notice.message


def test_damage_inside_the_file(vault: VaultPaths, caplog: pytest.LogCaptureFixture) -> None:
    """It opens, but its blocks cannot be read: the journals answer, from the first question on."""
    process = Recorded(vault, "p1")
    for seq in range(50):
        process.cell(seq, f"cell {seq}" * 50)
    ingest_pass(vault)
    content = bytearray(vault.database.read_bytes())
    content[3 * 4096 + 100 :: 1024] = b"?" * len(content[3 * 4096 + 100 :: 1024])
    vault.database.write_bytes(content)
    for _ in range(2):
        assert len(queries.query_process_list(vault, code_text="cell 7")) == 1
        assert run_sql(vault, COUNT).fetchall() == [(50,)]
    assert "tablevault rebuild" in caplog.text
    assert rebuild(vault).kept is not None
    assert run_sql_with_notices(vault, COUNT)[1] == []
    with pytest.raises(duckdb.ConversionException, match="corrupt checksum"):
        run_sql(vault, "SELECT 'corrupt checksum'::INTEGER")
    assert run_sql_with_notices(vault, COUNT)[1] == [], "an error of the user's is no damage"


def test_a_missing_file_is_made_again(vault: VaultPaths) -> None:
    """Deleted: nothing but the journals is needed."""
    Recorded(vault, "p1").cell(0)
    ingest_pass(vault)
    vault.database.unlink()
    assert run_sql_with_notices(vault, COUNT)[0].fetchall() == [(1,)]
    assert vault.database.exists()


def test_threads_take_turns(vault: VaultPaths) -> None:
    """Many threads of one process ask and ingest at once."""
    process = Recorded(vault, "p1")
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            for seq in range(3):
                process.cell(number * 3 + seq)
                assert run_sql(vault, COUNT).fetchall()[0][0] > seq
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert run_sql(vault, COUNT).fetchall() == [(9,)]


def test_leaving_the_block_lets_go(vault: VaultPaths) -> None:
    """Also when the query failed."""
    Recorded(vault, "p1")
    with pytest.raises(duckdb.Error), open_snapshot(vault) as snapshot:
        snapshot.connection.execute("SELECT nonsense")
    with duckdb.connect(str(vault.database)) as other:
        other.execute("CREATE TABLE mine (x INTEGER)")
