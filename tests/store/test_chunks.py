"""In whatever pieces the lines arrive, the tables end as if all had come at once."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tablevault_ext.journal.lines import encode_line
from tablevault_ext.paths import VaultPaths, open_vault
from tablevault_ext.store.engine import open_memory
from tablevault_ext.store.ingest import ingest
from tablevault_ext.store.schema import ensure_schema

from .journals import ELSEWHERE, ME, NOBODY

TABLES = [
    "processes",
    "cells",
    "requests",
    "records",
    "record_lists",
    "descriptions",
    "seen_errors",
    "events",
    "details",
    "record_counts",
    "children",
    "tasks",
    "actors",
    "progress",
]
START = 1_700_000_000_000_000

texts = st.text(max_size=20) | st.sampled_from(["it's", "nul\x00", "\ud800", "🧪\n", "x" * 300])
numbers = st.integers(0, 4)
bulk = st.one_of(
    st.builds(lambda s, c: {"e": "cell_started", "seq": s, "code": c}, numbers, texts),
    st.builds(
        lambda s, w, t: {"e": "cell_finished", "seq": s, "status": w, "duration": 0.5, "error_type": t},
        numbers,
        st.sampled_from(["ok", "error", "aborted"]),
        st.none() | texts,
    ),
    st.builds(lambda s, t: {"e": "cell_output", "seq": s, "output_tail": t}, numbers, texts),
    st.builds(
        lambda n, r: {"e": "record_appended", "list": n, "cell_seq": 0, "record": r},
        st.sampled_from("ab"),
        st.none() | st.integers(-5, 5) | st.dictionaries(texts, st.floats(), max_size=2) | texts,
    ),
    st.builds(lambda n: {"e": "list_created", "list": n, "columns": [n]}, st.sampled_from("ab")),
    st.builds(lambda i, t: {"e": "described", "item": i, "name": "BASE", "text": t}, st.sampled_from("xy"), texts),
    st.builds(lambda t: {"e": "error_seen", "error_type": "E", "error_message": t, "source": "thread"}, texts),
    st.builds(lambda i, s: {"e": "task", "id": str(i), "status": s}, numbers, texts),
    st.builds(lambda d: {"e": "progress", "done": d}, numbers),
)
control = st.sampled_from(
    [
        {"e": "process_named", "name": "other", "run": 2},
        {"e": "notebook_moved", "notebook": "b.ipynb"},
        {"e": "request_seen", "id": "r1", "inbox": 100, "status": "pausing", "boot": ME.boot_id, "mono": 5},
        {
            "e": "request_closed",
            "id": "r1",
            "inbox": 100,
            "outcome": "effective",
            "status": "paused",
            "boot": "b",
            "mono": 6,
        },
        {"e": "process_ended", "status": "finished", "exit_code": 0, "boot": "b", "mono": 9},
    ]
)
requests = st.sampled_from(
    [
        {"e": "request", "id": "r1", "action": "pause", "at": START, "mono": 1, "boot": ME.boot_id, "by": "ana"},
        {"e": "request", "id": "r2", "action": "stop", "at": START + 1, "mono": 2, "boot": ME.boot_id, "now": True},
        {"e": "withdraw", "id": "r1", "by": "ana", "at": START + 2},
        {"e": "observed", "id": "r2", "at": START + 3, "status": "stopped", "outcome": "effective", "ended": True},
    ]
)


def unique_cells(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a recorder writes them: each cell begins once, ends once, after it began."""
    begun, ended, kept = set(), set(), []
    for event in events:
        if event["e"] == "cell_started":
            if event["seq"] in begun:
                continue
            begun.add(event["seq"])
        elif event["e"] == "cell_finished":
            if event["seq"] not in begun or event["seq"] in ended:
                continue
            ended.add(event["seq"])
        elif event["e"] == "cell_output" and event["seq"] not in begun:
            continue
        kept.append(event)
    return kept


@st.composite
def journal(draw: st.DrawFn, process_id: str) -> bytes:
    identity = draw(st.sampled_from([NOBODY, ELSEWHERE])).to_json()
    started = {"e": "process_started", "kind": "notebook", "identity": identity, "name": process_id, "run": 1}
    events = [started, *draw(st.lists(bulk | bulk | bulk | control, max_size=20))]
    lines = b""
    for number, event in enumerate(unique_cells(events), start=1):
        lines += encode_line({"e": event["e"], "p": process_id, "n": number, "at": START + number} | event)
    return lines


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    """Pieces of files, cut anywhere, in an order in which they may have grown."""
    files = {f"journals/{process_id}.ndjson": draw(journal(process_id)) for process_id in ("p1", "p2")}
    files["inbox/p1.ndjson"] = b"".join(
        encode_line(line)
        for line in draw(st.lists(requests, max_size=4, unique_by=lambda line: line["e"] + line["id"]))
    )
    pieces = {}
    for name, content in files.items():
        cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=3)))
        pieces[name] = [content[start:end] for start, end in itertools.pairwise([0, *cuts, len(content)])]
    order = draw(st.permutations([name for name, parts in pieces.items() for _ in parts]))
    return [(name, pieces[name].pop(0)) for name in order]


def contents(connection: DuckDBPyConnection) -> dict[str, list[str]]:
    return {table: sorted(map(str, connection.execute(f"FROM {table}").fetchall())) for table in TABLES}


def fresh(paths: VaultPaths) -> DuckDBPyConnection:
    connection = open_memory(paths, for_ingest=True)
    ensure_schema(connection)
    return connection


# No shrinking: an example takes half a second, and its pieces are shown anyway.
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate))
@given(pieces=arrivals())
def test_arbitrary_pieces_end_like_a_rebuild(pieces: list[tuple[str, bytes]]) -> None:
    """Ingest after every piece, torn lines included, equals one ingest of the whole."""
    with tempfile.TemporaryDirectory() as folder:
        paths = open_vault(Path(folder) / "vault")
        with fresh(paths) as piecemeal, fresh(paths) as at_once:
            for name, piece in pieces:
                with (paths.root / name).open("ab") as file:
                    file.write(piece)
                ingest(piecemeal, paths)
            ingest(at_once, paths)
            expected, found = contents(at_once), contents(piecemeal)
            for table in TABLES:
                assert expected[table] == found[table]
            assert at_once.execute("FROM quarantine").fetchall() == []
