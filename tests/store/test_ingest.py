"""What journals and inboxes say is in the tables, exactly once, whatever happened to the files."""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest

from tablevault_ext.journal.reader import compressed
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.passes import ingest_pass

from ..support import wait_until
from .journals import ELSEWHERE, ME, NOBODY, Recorded, look


def ingested(paths: VaultPaths, query: str) -> list[tuple[Any, ...]]:
    ingest_pass(paths)
    return look(paths, query)


CELLS = "SELECT seq, code, status FROM cells ORDER BY process_id, seq"


def test_a_cell_is_a_row(vault: VaultPaths) -> None:
    """Code, number, outcome, times and output come from its lines."""
    process = Recorded(vault, "p1")
    process.begin(0, "print('hi')", cell_id="abc", execution_count=7)
    process.append("cell_output", seq=0, output_tail="h")
    process.append("cell_output", seq=0, output_tail="hi")
    process.finish(0)
    row = ingested(
        vault,
        "SELECT cell_id, execution_count, code, status, duration, output_tail, ended_at >= started_at FROM cells",
    )
    assert row == [("abc", 7, "print('hi')", "ok", 0.25, "hi", True)]


def test_an_end_finds_the_beginning_of_an_earlier_pass(vault: VaultPaths) -> None:
    """A cell that runs through several passes is one row, updated."""
    process = Recorded(vault, "p1")
    process.begin(0, "1/0")
    assert ingested(vault, CELLS) == [(0, "1/0", "running")]
    process.append("cell_output", seq=0, output_tail="half")
    assert ingested(vault, "SELECT status, output_tail FROM cells") == [("running", "half")]
    process.finish(0, "error", error_type="ZeroDivisionError", error_message="division by zero", traceback="Tr…")
    assert ingested(vault, CELLS) == [(0, "1/0", "error")]
    assert look(vault, "SELECT error_type, traceback, output_tail FROM cells") == [("ZeroDivisionError", "Tr…", "half")]


def test_a_second_pass_adds_nothing(vault: VaultPaths) -> None:
    """Offsets are committed with the rows."""
    process = Recorded(vault, "p1")
    process.cell(0)
    process.record("losses", {"loss": 1})
    ingest_pass(vault)
    assert not ingest_pass(vault)
    assert look(vault, "SELECT (SELECT count(*) FROM cells), (SELECT count(*) FROM records)") == [(1, 1)]


def test_a_process_is_a_row_with_its_state(vault: VaultPaths) -> None:
    """The row is the fold of its control events, across passes."""
    process = Recorded(vault, "p1", "train", argv=["train.py", "--fast"], user_id="ana", kind="script")
    query = "SELECT name, run, kind, status, user_id, argv, pid, exit_code FROM processes"
    expected = ("train", 1, "script", "running", "ana", ["train.py", "--fast"], ME.pid, None)
    assert ingested(vault, query) == [expected]
    process.end("failed", exit_code=3, error="ValueError: no")
    assert ingested(vault, "SELECT status, exit_code, error, ended_at IS NOT NULL FROM processes") == [
        ("failed", 3, "ValueError: no", True)
    ]


def test_a_create_time_is_a_time(vault: VaultPaths) -> None:
    """Not ticks: close to when the test began."""
    Recorded(vault, "p1")
    ((hours,),) = ingested(vault, "SELECT abs(date_diff('hour', create_time, started_at)) FROM processes")
    assert hours <= 24


def test_requests_and_receipts(vault: VaultPaths) -> None:
    """A request is a row from the moment it stands in the inbox, with its receipts as they come."""
    process = Recorded(vault, "p1")
    request = process.ask("pause", requested_by="ana", reason="lunch")
    assert ingested(vault, "SELECT action, requested_by, reason, outcome FROM requests") == [
        ("pause", "ana", "lunch", None)
    ]
    assert look(vault, "SELECT status, request_id FROM processes") == [("pausing", request.request_id)]
    process.append(
        "request_closed",
        id=request.request_id,
        inbox=vault.inbox("p1").stat().st_size,
        outcome="effective",
        status="paused",
        boot=ME.boot_id,
        mono=request.mono + 2_000,
    )
    assert ingested(vault, "SELECT outcome, effect_latency FROM requests") == [("effective", 0.002)]
    assert look(vault, "SELECT status FROM processes") == [("paused",)]
    assert look(vault, "SELECT outcome, effect_latency FROM request_latency") == [("effective", 0.002)]


def test_the_wrapper_knows_the_exact_ending(vault: VaultPaths) -> None:
    """One row a process, though two journals tell of it."""
    Recorded(vault, "p1", kind="script", identity=NOBODY)
    wrapper = JournalWriter(vault.wrapper_journal("p1"), "p1")
    wrapper.append("process_started", kind="script", identity=ME.to_json(), name="train", run=1, status="running")
    assert ingested(vault, "SELECT status FROM processes") == [("running",)], "its wrapper lives and may tell more"
    wrapper.append("process_ended", status="failed", exit_signal=11)
    assert ingested(vault, "SELECT status, exit_signal FROM processes") == [("failed", 11)]


def test_a_killed_process_is_lost_and_so_are_its_cells(vault: VaultPaths) -> None:
    """A real process, killed with -9, wrote no ending: a row that says it started and never ended."""
    code = (
        "import sys, time; from tests.store.journals import Recorded; from tablevault_ext.paths import open_vault\n"
        "from tablevault_ext.identity import Identity\n"
        "p = Recorded(open_vault(), 'p1', identity=Identity.mine()); p.begin(0, 'forever()'); time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until(lambda: vault.journal("p1").exists() and b'"forever()"}\n' in vault.journal("p1").read_bytes())
        assert ingested(vault, "SELECT status, activity FROM processes") == [("running", "busy")]
    finally:
        child.kill()
        child.wait()
    assert ingested(vault, "SELECT p.status, c.status FROM processes p JOIN cells c USING (process_id)") == [
        ("lost", "lost")
    ]


def test_lost_is_not_final(vault: VaultPaths) -> None:
    """A late ending, and a late end of a cell, overrule what was derived."""
    process = Recorded(vault, "p1", identity=NOBODY)
    process.begin(0)
    assert ingested(vault, CELLS) == [(0, "pass", "lost")]
    process.finish(0)
    process.end("finished")
    assert ingested(vault, CELLS) == [(0, "pass", "ok")]
    assert look(vault, "SELECT status FROM processes") == [("finished",)]


def test_another_namespace_is_unknown_never_lost(vault: VaultPaths) -> None:
    """Nothing can be seen of a process in another container."""
    Recorded(vault, "p1", identity=ELSEWHERE).begin(0)
    assert ingested(vault, "SELECT p.status, c.status FROM processes p JOIN cells c USING (process_id)") == [
        ("unknown", "running")
    ]


def test_a_suspended_process_is_paused(vault: VaultPaths) -> None:
    """Somebody sent SIGSTOP: what the operating system shows counts, and that it was none of our requests."""
    import signal

    from tablevault_ext.identity import Identity

    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        try:
            identity = Identity.of(child.pid)
            assert identity is not None
            Recorded(vault, "p1", identity=identity, kind="command")
            query = "SELECT status, paused_from_outside FROM processes"
            assert ingested(vault, query) == [("running", False)]
            child.send_signal(signal.SIGSTOP)
            wait_until(identity.suspended)
            assert ingested(vault, query) == [("paused", True)]
            child.send_signal(signal.SIGCONT)
            wait_until(lambda: not identity.suspended())
            assert ingested(vault, query) == [("running", False)]
        finally:
            child.kill()


# Records, descriptions, errors, details


def test_records_of_all_shapes(vault: VaultPaths) -> None:
    """Numbered from 0 within list and process, across passes; NaN is kept as a string that casts back."""
    process = Recorded(vault, "p1")
    process.append("list_created", list="losses", columns=["loss"])
    for record in ({"loss": 0.5}, [1, 2], 7, None, "text", {"loss": math.nan}):
        process.record("losses", record, seq=3)
        ingest_pass(vault)
    rows = look(vault, "SELECT seq, cell_seq, record FROM records ORDER BY seq")
    assert [json.loads(record) for _, _, record in rows] == [{"loss": 0.5}, [1, 2], 7, None, "text", {"loss": "NaN"}]
    assert [row[:2] for row in rows] == [(number, 3) for number in range(6)]
    assert look(vault, "SELECT name, columns, created_by FROM record_lists") == [("losses", ["loss"], "p1")]
    assert look(vault, "SELECT isnan((record->>'loss')::DOUBLE) FROM records WHERE seq = 5") == [(True,)]


def test_the_newest_description_counts(vault: VaultPaths) -> None:
    """Again under the same name replaces it."""
    process = Recorded(vault, "p1")
    process.append("described", item="train", name="BASE", text="old", embedding=[1.0, 0.0])
    process.append("described", item="train", name="BASE", text="new", embedding=None)
    assert ingested(vault, "SELECT item_name, name, text, embedding FROM descriptions") == [
        ("train", "BASE", "new", None)
    ]


def test_errors_of_cells_and_of_threads(vault: VaultPaths) -> None:
    """The view joins what failed in a cell and beside it."""
    process = Recorded(vault, "p1")
    process.begin(0, "start_thread()")
    process.finish(0, "error", error_type="ValueError", error_message="no", traceback="T1")
    process.append("error_seen", seq=0, error_type="OSError", error_message="disk", traceback="T2", source="thread")
    assert ingested(vault, "SELECT name, cell_seq, error_type, source, code FROM errors ORDER BY happened_at") == [
        ("train", 0, "ValueError", "cell", "start_thread()"),
        ("train", 0, "OSError", "thread", "start_thread()"),
    ]


def test_details_have_views(vault: VaultPaths) -> None:
    """Samples, tasks, actors, progress: the newest line of each counts; unknown types are kept, too."""
    process = Recorded(vault, "p1")
    process.append("sample", cpu=1.5, rss=2**30, threads=4, children=2)
    process.append("task", id="t1", name="work", status="pending")
    process.append("task", id="t1", name="work", status="done")
    process.append("actor", id="pid_1", name="counter", status="running")
    process.append("progress", done=3, total=10, desc="epochs")
    process.append("from_the_future", answer=42)
    ingest_pass(vault)
    assert look(vault, "SELECT cpu, rss, threads, children FROM samples") == [(1.5, 2**30, 4, 2)]
    assert look(vault, "SELECT task_id, name, status FROM tasks") == [("t1", "work", "done")]
    assert look(vault, "SELECT actor_id, name FROM actors") == [("pid_1", "counter")]
    assert look(vault, 'SELECT done, total, "desc" FROM progress') == [(3.0, 10.0, "epochs")]
    assert look(vault, "SELECT data->>'answer' FROM details WHERE type = 'from_the_future'") == [("42",)]


def test_the_tree_has_depth_and_path(vault: VaultPaths) -> None:
    """Children below parents; a parent that is not there makes a root; a circle does not loop."""
    Recorded(vault, "a", "root")
    Recorded(vault, "b", "child", parent_id="a", parent_cell=0)
    Recorded(vault, "c", "grandchild", parent_id="b")
    Recorded(vault, "d", "stray", parent_id="nobody")
    assert ingested(vault, "SELECT name, depth, path FROM process_tree ORDER BY path") == [
        ("root", 0, "root#1"),
        ("child", 1, "root#1/child#1"),
        ("grandchild", 2, "root#1/child#1/grandchild#1"),
        ("stray", 0, "stray#1"),
    ]


def test_orphans_live_below_the_dead(vault: VaultPaths) -> None:
    """A living process whose parent is over."""
    Recorded(vault, "a", "root").end()
    Recorded(vault, "b", "left behind", parent_id="a")
    assert ingested(vault, "SELECT name, parent_name, parent_status FROM orphans") == [
        ("left behind", "root", "finished")
    ]


# Damage


def test_a_torn_last_line_waits(vault: VaultPaths) -> None:
    """Half a line is left alone until it is whole."""
    process = Recorded(vault, "p1")
    ingest_pass(vault)
    whole = b'{"e":"cell_started","p":"p1","n":2,"at":1700000000000000,"seq":0,"code":"x"}\n'
    with vault.journal("p1").open("ab") as file:
        file.write(whole[:30])
    assert ingested(vault, CELLS) == []
    with vault.journal("p1").open("ab") as file:
        file.write(whole[30:])
    assert ingested(vault, CELLS) == [(0, "x", "running")]
    assert look(vault, "FROM quarantine") == []
    process.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\n",
        b'{"e":"cell_sta\n',
        b"\x00" * 4096 + b"\n",
        b"\xff\xfe\n",
        b'{"e":"cell_started","p":"p1"}\n',
        b'{"e":"process_started","p":"p1","n":3}\n',
        b'{"e":"cell_started","p":"p1","n":"x","at":1,"seq":0,"code":"y"}\n',
        b'{"e":"cell_finished","p":"p1","n":3,"at":1,"seq":0,"status":"ok","duration":"long"}\n',
        b'{"e":"cell_started","p":"p1","n":3,"at":99999999999999999999,"seq":0,"code":"y"}\n',
        b'{"e":"record_appended","p":"p1","n":3,"at":1,"record":1}\n',
        b'{"e":"cell_started","p":"p1","n":3,"at":1,"seq":9,"code":"\\ud800"}\n',
        b"[1,2]\n",
        b"7\n",
    ],
)
def test_garbage_in_the_middle_is_quarantined(vault: VaultPaths, garbage: bytes) -> None:
    """The line is kept with its place, a notice says so, everything around it is taken in."""
    process = Recorded(vault, "p1")
    process.cell(0, "before")
    start = vault.journal("p1").stat().st_size
    with vault.journal("p1").open("ab") as file:
        file.write(garbage)
    process.cell(1, "after")
    assert ingested(vault, CELLS) == [(0, "before", "ok"), (1, "after", "ok")]
    assert look(vault, "SELECT file, position, line FROM quarantine") == [("journals/p1.ndjson", start, garbage)]
    assert look(vault, "SELECT kind, process_id FROM notices") == [("quarantined", "p1")]
    assert not ingest_pass(vault)


def test_many_bad_lines_among_many_good_ones(vault: VaultPaths) -> None:
    """Every bad one is found, at its place."""
    process = Recorded(vault, "p1")
    for seq in range(300):
        process.cell(seq)
        if seq % 50 == 7:
            with vault.journal("p1").open("ab") as file:
                file.write(b'{"e":"cell_started","p":"p1","n":1,"at":1,"seq":"x","code":""}\n')
    assert ingested(vault, "SELECT count(*) FROM cells WHERE status = 'ok'") == [(300,)]
    assert look(vault, "SELECT count(*), count(DISTINCT position) FROM quarantine") == [(6, 6)]


def test_an_event_that_cannot_be_folded_harms_nobody_else(vault: VaultPaths) -> None:
    """Valid JSON that makes no sense is passed over, with a notice."""
    process = Recorded(vault, "p1")
    process.append("process_ended", status="exploded")
    process.append("request_seen", nothing="here")
    Recorded(vault, "p2", "other").cell(0)
    assert ingested(vault, "SELECT name, status FROM processes ORDER BY name") == [
        ("other", "running"),
        ("train", "running"),
    ]
    assert ("unfoldable", "p1") in look(vault, "SELECT kind, process_id FROM notices")


def test_texts_of_every_kind_do_no_harm(vault: VaultPaths) -> None:
    """Quotes, newlines, emoji, NUL, lone surrogates, 10,000 characters."""
    texts = ['it\'s "quoted"; DROP TABLE cells; --', "line\nline\r\n", "🧪" * 10, "nul\x00nul", "x" * 10_000]
    process = Recorded(vault, "p1", "na'me\n🧪\x00" + "y" * 9_000)
    for seq, text in enumerate(texts):
        process.cell(seq, text)
    process.cell(len(texts), "lone \ud800 surrogate")
    rows = ingested(vault, "SELECT code FROM cells ORDER BY seq")
    assert [code for (code,) in rows] == [*texts, "lone \\ud800 surrogate"]
    assert look(vault, "SELECT name FROM processes") == [(process_name(vault),)]


def process_name(paths: VaultPaths) -> str:
    return json.loads(paths.journal("p1").read_bytes().splitlines()[0])["name"]


def test_a_50_mb_cell(vault: VaultPaths) -> None:
    """One line larger than a batch and than DuckDB's usual limit."""
    process = Recorded(vault, "p1")
    process.cell(0, "x" * 50_000_000)
    process.cell(1, "after")
    assert ingested(vault, "SELECT seq, length(code), status FROM cells ORDER BY seq") == [
        (0, 50_000_000, "ok"),
        (1, 5, "ok"),
    ]


def test_more_than_one_batch(vault: VaultPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much for one transaction comes in several, without loss or doubling."""
    monkeypatch.setattr("tablevault_ext.store.staging.LIMIT", 2_000)
    for process_id in ("p1", "p2"):
        process = Recorded(vault, process_id, process_id)
        for seq in range(100):
            process.cell(seq)
    monkeypatch.setattr("tablevault_ext.store.staging._CHUNK", 1_000)
    assert ingested(vault, "SELECT process_id, count(*), count(DISTINCT seq) FROM cells GROUP BY 1 ORDER BY 1") == [
        ("p1", 100, 100),
        ("p2", 100, 100),
    ]


def test_a_deleted_journal_loses_nothing_that_was_read(vault: VaultPaths) -> None:
    """The writer puts it back and goes on; what was read is not taken in twice. A notice tells."""
    process = Recorded(vault, "p1")
    process.cell(0, "before")
    ingest_pass(vault)
    vault.journal("p1").unlink()
    assert ingested(vault, "SELECT kind, file FROM notices") == [("deleted", "journals/p1.ndjson")]
    process.cell(1, "after")
    assert ingested(vault, CELLS) == [(0, "before", "ok"), (1, "after", "ok")]
    assert look(vault, "SELECT count(*) FROM notices") == [(2,)]


def test_a_truncated_journal(vault: VaultPaths) -> None:
    """Cut short, and grown again beyond where we were: noticed either way, nothing twice."""
    process = Recorded(vault, "p1")
    for seq in range(3):
        process.cell(seq)
    ingest_pass(vault)
    os.truncate(vault.journal("p1"), vault.journal("p1").stat().st_size // 2)
    process.cell(3, "z" * 2_000)
    process.cell(4)
    assert ingested(vault, "SELECT seq FROM cells ORDER BY seq")[:3] == [(0,), (1,), (2,)]
    process.cell(5)
    assert (5,) in ingested(vault, "SELECT seq FROM cells")
    assert look(vault, "SELECT seq, count(*) FROM cells GROUP BY seq HAVING count(*) > 1") == []
    assert ("replaced",) in look(vault, "SELECT kind FROM notices")


def test_an_inbox_that_was_replaced(vault: VaultPaths) -> None:
    """Requests are told by their text: known ones are not doubled, new ones come in."""
    process = Recorded(vault, "p1")
    first = process.ask("pause")
    ingest_pass(vault)
    content = vault.inbox("p1").read_bytes()
    vault.inbox("p1").unlink()
    vault.inbox("p1").write_bytes(content)
    second = process.ask("stop")
    rows = ingested(vault, "SELECT request_id FROM requests ORDER BY requested_at")
    assert rows == [(first.request_id,), (second.request_id,)]


def test_a_journal_without_its_beginning(vault: VaultPaths) -> None:
    """Cells whose process cannot be named are kept, under the id."""
    lines = b'{"e":"cell_started","p":"p9","n":5,"at":1700000000000000,"seq":2,"code":"x"}\n'
    vault.journal("p9").write_bytes(lines + b'{"e":"cell_finished","p":"p9","n":7,"at":1700000000000000,"seq":3,')
    with vault.journal("p9").open("ab") as file:
        file.write(b'"status":"ok","duration":2.0}\n')
    assert ingested(vault, "SELECT seq, code, status FROM cells ORDER BY seq") == [
        (2, "x", "running"),
        (3, None, "ok"),
    ]
    assert look(vault, "SELECT name, status FROM processes") == [("p9", "unknown")]


def test_a_compressed_journal_and_what_follows_it(vault: VaultPaths) -> None:
    """Both are read, in order; a crash between compressing and deleting leaves both and doubles nothing."""
    process = Recorded(vault, "p1")
    process.cell(0)
    journal = vault.journal("p1")
    with gzip.open(compressed(journal), "wb") as packed:
        packed.write(journal.read_bytes())
    assert ingested(vault, "SELECT seq FROM cells") == [(0,)]
    journal.unlink()
    assert not ingest_pass(vault)
    process.cell(1)
    assert ingested(vault, "SELECT seq FROM cells ORDER BY seq") == [(0,), (1,)]
    assert look(vault, "SELECT kind FROM notices WHERE kind = 'deleted'") == []


def test_a_broken_gzip_is_a_notice(vault: VaultPaths) -> None:
    """One unreadable file does not keep the others out."""
    compressed(vault.journal("p0")).write_bytes(b"\x1f\x8b nonsense")
    Recorded(vault, "p1").cell(0)
    assert ingested(vault, CELLS) == [(0, "pass", "ok")]
    assert look(vault, "SELECT kind, process_id FROM notices") == [("unreadable", "p0")]
    assert not ingest_pass(vault)


def test_strange_files_in_the_folders_are_left_alone(vault: VaultPaths) -> None:
    """Only names that journals have."""
    (vault.journals / "notes.txt").write_text("mine")
    (vault.journals / "..ndjson").write_text("{}")
    (vault.inboxes / "p1.lock").write_text("")
    assert not ingest_pass(vault)
