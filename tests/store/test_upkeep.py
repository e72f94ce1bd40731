"""Rebuilding, compressing and pruning: nothing else is lost, and a death in the middle does no harm."""

from __future__ import annotations

import os
from datetime import timedelta

import duckdb
import pytest

from tablevault_ext.errors import BadArgument, DatabaseHeld, UnknownProcess, VaultUnusable
from tablevault_ext.journal.lines import encode_line
from tablevault_ext.journal.names import claim_name, resolve
from tablevault_ext.journal.process_state import read_process
from tablevault_ext.journal.reader import compressed
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.compress import compress_ended
from tablevault_ext.store.passes import ingest_pass
from tablevault_ext.store.prune import parse_age, plan_prune, prune
from tablevault_ext.store.rebuild import rebuild
from tablevault_ext.store.snapshot import run_sql

from .journals import ME, NOBODY, Recorded, held_by_another_program, look

CONTENT = "SELECT process_id, seq, code, status FROM cells ORDER BY ALL"


@pytest.fixture
def history(vault: VaultPaths) -> VaultPaths:
    """An ended process with requests, records and logs; a lost one; a living one."""
    old = Recorded(vault, "old", "old")
    old.cell(0, "long ago")
    old.record("losses", 1)
    old.append("described", item="old", name="BASE", text="antique")
    old.ask("stop")
    old.end()
    old.close()
    vault.logs("old").mkdir()
    (vault.logs("old") / "stdout.log").write_text("x" * 1_000)
    lost = Recorded(vault, "lost", "lost", identity=NOBODY)
    lost.begin(0, "forever()")
    lost.close()
    Recorded(vault, "live", "live").cell(0, "now")
    ingest_pass(vault)
    return vault


@pytest.mark.parametrize("damage", ["garbage", "truncated", "deleted", "none", "with a log"])
def test_rebuild_restores(history: VaultPaths, damage: str) -> None:
    """Whatever happened to the file: the same tables; a damaged one is kept."""
    before = look(history, CONTENT)
    compress_ended(history, idle=0)
    if damage == "garbage":
        history.database.write_bytes(b"garbage" * 1_000)
    elif damage == "truncated":
        os.truncate(history.database, 20_000)
    elif damage == "deleted":
        history.database.unlink()
    elif damage == "with a log":
        history.database.write_bytes(b"garbage" * 1_000)
        history.database.with_name("vault.duckdb.wal").write_bytes(b"old log")
    steps: list[tuple[int, int]] = []
    rebuilt = rebuild(history, lambda done, total: steps.append((done, total)))
    assert look(history, CONTENT) == before
    assert (rebuilt.processes, rebuilt.cells) == (3, 3)
    assert steps and all(done <= total for done, total in steps)
    assert (rebuilt.kept is not None) == (damage not in ("deleted", "none"))
    if rebuilt.kept is not None:
        assert rebuilt.kept.name.startswith("vault.duckdb.damaged-") and rebuilt.kept.stat().st_size > 0
    assert not history.database.with_name("vault.duckdb.wal").exists()
    assert not ingest_pass(history)
    assert history.database.stat().st_mode & 0o077 == 0


def test_rebuild_waits_for_nobody_it_cannot_have(history: VaultPaths) -> None:
    """Held by somebody else: refused, and nothing was changed."""
    with held_by_another_program(history) as pid, pytest.raises(DatabaseHeld, match=str(pid)):
        rebuild(history)
    assert len(look(history, CONTENT)) == 3
    assert not history.database.with_name("vault.duckdb.new").exists()


def test_rebuild_refuses_a_newer_vault(history: VaultPaths) -> None:
    """What a newer version made is not ours to make again."""
    with duckdb.connect(str(history.database)) as connection:
        connection.execute("UPDATE vault_meta SET schema_version = 99")
    with pytest.raises(VaultUnusable, match="newer version"):
        rebuild(history)
    assert look(history, "SELECT schema_version FROM vault_meta") == [(99,)]


def test_a_rebuild_that_failed_leaves_the_old_file(history: VaultPaths) -> None:
    """And nothing beside it."""

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(history, interrupt)
    assert len(look(history, CONTENT)) == 3
    assert not list(history.root.glob("vault.duckdb.new*"))


def test_ended_journals_are_compressed(history: VaultPaths) -> None:
    """Only of processes that are over, and only what is in the database; states are still read from them."""
    journal = history.journal("old")
    assert compress_ended(history) == [], "not yet: it was written just now"
    assert sorted(compress_ended(history, idle=0)) == ["journals/lost.ndjson", "journals/old.ndjson"]
    assert not journal.exists() and compressed(journal).stat().st_mode & 0o777 == 0o600
    assert history.journal("live").exists()
    assert not ingest_pass(history)
    assert run_sql(history, "SELECT count(*) FROM cells").fetchall() == [(3,)]
    assert read_process(history, "old").status == "finished"
    assert compress_ended(history, idle=0) == []


def test_what_is_not_ingested_is_not_compressed(history: VaultPaths) -> None:
    """A line that came after the last pass keeps its journal as it is."""
    with history.journal("old").open("ab") as file:
        file.write(b'{"e":"progress","p":"old","n":99,"at":1700000000000000,"done":1}\n')
    assert compress_ended(history, idle=0) == ["journals/lost.ndjson"]


def test_a_continuation_is_not_compressed_over_its_beginning(history: VaultPaths) -> None:
    """A journal that goes on after it was compressed: both files are needed."""
    compress_ended(history, idle=0)
    first = compressed(history.journal("old")).read_bytes()
    history.journal("old").write_bytes(b'{"e":"progress","p":"old","n":99,"at":1700000000000000,"done":1}\n')
    ingest_pass(history)
    compress_ended(history, idle=0)
    assert compressed(history.journal("old")).read_bytes() == first and history.journal("old").exists()
    rebuild(history)
    assert look(history, "SELECT count(*) FROM details") == [(1,)]
    assert len(look(history, CONTENT)) == 3


def test_prune_forgets_ended_processes(history: VaultPaths) -> None:
    """First it says what would go; then rows, journals, inbox and logs of just these go, for good."""
    assert plan_prune(history, timedelta(days=90)).processes == []
    plan = plan_prune(history, 0)
    assert sorted(process.name for process in plan.processes) == ["lost", "old"]
    assert plan.size > 1_000 and "2 ended processes" in str(plan)
    assert history.journal("old").exists(), "a plan deletes nothing"
    done = prune(history, plan)
    assert sorted(process.name for process in done.processes) == ["lost", "old"]
    assert look(history, CONTENT) == [("live", 0, "now", "ok")]
    for table in ("processes", "requests", "records", "description_history", "events", "offsets", "record_counts"):
        rows = look(history, f"SELECT count(*) FROM {table} t WHERE t::VARCHAR LIKE '%old%'")
        assert rows == [(0,)], table
    left = {path.name for path in history.root.rglob("*") if "old" in path.name or "lost" in path.name}
    assert left == set()
    assert not ingest_pass(history)
    rebuild(history)
    assert look(history, CONTENT) == [("live", 0, "now", "ok")]
    with pytest.raises(UnknownProcess):
        resolve(history, "old")
    assert claim_name(history, "old", "new", NOBODY).run == 2, "the number of a pruned run is not given again"


def test_prune_leaves_who_came_back(history: VaultPaths) -> None:
    """A process of the plan that has not ended after all stays."""
    plan = plan_prune(history, 0)
    again = {"e": "process_started", "p": "lost", "n": 99, "at": 1, "kind": "notebook", "identity": ME.to_json()}
    with history.journal("lost").open("ab") as file:
        file.write(encode_line(again))
    ingest_pass(history)
    assert [process.name for process in prune(history, plan).processes] == ["old"]


def test_prune_while_somebody_holds_the_file(history: VaultPaths) -> None:
    """Nothing is deleted that could not be deleted everywhere."""
    plan = plan_prune(history, 0)
    with held_by_another_program(history), pytest.raises(DatabaseHeld):
        prune(history, plan)
    assert history.journal("old").exists() and len(look(history, CONTENT)) == 3


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("2w", 14), ("12h", 0.5), (" 36 h ", 1.5)])
def test_ages(text: str, days: float) -> None:
    """As people write them."""
    assert parse_age(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1 year", "nan"])
def test_bad_ages(text: str) -> None:
    """With a word about what would do."""
    with pytest.raises(BadArgument, match="90d"):
        parse_age(text)


def test_a_negative_age_is_refused(vault: VaultPaths) -> None:
    """The future has not ended."""
    with pytest.raises(BadArgument):
        plan_prune(vault, -1)
