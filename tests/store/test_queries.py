"""Processes are found by what they are, what they ran, who started them, and how they were described."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablevault_ext.errors import BadArgument, UnknownProcess
from tablevault_ext.model import Process, Status
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store import listings, queries

from .journals import ME, Recorded

HOSTILE = ["'", "''", "%' OR 1=1 --", "\\", "\x00", "🧪", "\ud800", "x" * 10_000, '"; DROP TABLE cells; --', "$1", "?"]


@pytest.fixture
def family(vault: VaultPaths) -> VaultPaths:
    """A search that started two experiments, from different cells; an older run of one of them."""
    first = Recorded(vault, "a0", "exp_1", kind="script")
    first.cell(0, "model.fit(x)")
    first.end()
    search = Recorded(vault, "b0", "search", description="hyperparameter search")
    search.cell(0, "import pandas")
    search.cell(1, "spawn_worker('exp_1')")
    one = Recorded(vault, "c1", "exp_1", kind="script", parent_id="b0", parent_cell=1, argv=["exp.py"])
    one.cell(0, "import pandas\nmodel.fit(x)")
    two = Recorded(vault, "c2", "exp_2", kind="script", parent_id="b0", parent_cell=0, path="/x/exp.py")
    two.cell(0, "model.fit(y)")
    search.append("described", item="exp_2", name="BASE", text="training pipeline", embedding=[1.0, 0.0])
    search.append("described", item="c1", name="BASE", text="baseline", embedding=[0.0, 1.0])
    search.append("described", item="search:1", name="note", text="the cell that spawns", embedding=[1.0, 1.0, 1.0])
    return vault


def found(paths: VaultPaths, **how: object) -> list[str]:
    return [process.process_id for process in queries.query_process_list(paths, **how)]


def test_list_processes(family: VaultPaths) -> None:
    """Newest first; the living ones unless told otherwise."""
    assert [p.address for p in queries.list_processes(family)] == ["exp_2#1", "exp_1#2", "search#1"]
    assert [p.process_id for p in queries.list_processes(family, live_only=False)] == ["c2", "c1", "b0", "a0"]
    assert [p.process_id for p in queries.list_processes(family, kind="notebook")] == ["b0"]
    assert [p.process_id for p in queries.list_processes(family, status="finished")] == ["a0"]
    assert [p.process_id for p in queries.list_processes(family, live_only=False, limit=1)] == ["c2"]
    assert [p.address for p in queries.runs_of(family, "exp_1")] == ["exp_1#2", "exp_1#1"]


def test_a_process_is_the_same_as_from_its_files(family: VaultPaths) -> None:
    """Rows and files give equal records."""
    from tablevault_ext.journal.process_state import read_process

    request = Recorded(family, "d1", "asked").ask("pause", requested_by="ana", reason="lunch", grace=7.0)
    stored = queries.get_process(family, "asked")
    known = read_process(family, "d1")
    for each in known.requests.values():
        each.mono, each.boot_id = 0, ""  # what latencies were made of is not kept
    assert stored == replace(known, activity="idle")
    assert stored.status is Status.PAUSING
    assert stored.request is not None and stored.request.request_id == request.request_id
    assert stored.identity == ME and stored.request.target == "asked#1"


def test_get_process_by_every_address(family: VaultPaths) -> None:
    """The newest run, a run, an id."""
    assert queries.get_process(family, "exp_1").process_id == "c1"
    assert queries.get_process(family, "exp_1#1").process_id == "a0"
    assert queries.get_process(family, "c2").name == "exp_2"
    with pytest.raises(UnknownProcess, match="exp_1"):
        queries.get_process(family, "exp_11")


def test_by_code(family: VaultPaths) -> None:
    """Contained in any cell, exactly as written."""
    assert found(family, code_text="import pandas") == ["c1", "b0"]
    assert found(family, code_text="IMPORT PANDAS") == []
    assert found(family, code_text="model.fit(%") == []


def test_by_parent_code(family: VaultPaths) -> None:
    """In the cell that started it; a script's cell is 0."""
    assert found(family, parent_code_text="spawn_worker") == ["c1"]
    Recorded(family, "c3", "exp_3", parent_id="b0")
    assert found(family, parent_code_text="spawn_worker") == ["c3", "c1"], "which cell is not known: any of the parent"


def test_by_description(family: VaultPaths) -> None:
    """Its own, one of its name, of its id, of a cell of it."""
    assert found(family, description_text="training pipeline") == ["c2"]
    assert found(family, description_text="hyperparameter") == ["b0"]
    assert found(family, description_text="baseline") == ["c1"]
    assert found(family, description_text="the cell that spawns") == ["b0"]


def test_by_embedding(family: VaultPaths) -> None:
    """Nearest first; embeddings of other lengths do not count."""
    assert found(family, description_embedding=[0.9, 0.1]) == ["c2", "c1"]
    assert found(family, description_embedding=[0.1, 0.9]) == ["c1", "c2"]
    assert found(family, description_embedding=[1, 1, 1]) == ["b0"]
    assert found(family, description_embedding=[1.0] * 7) == []


def test_filtered_and_combined(family: VaultPaths) -> None:
    """All conditions must hold; what was found can be given back."""
    assert found(family, filtered=["exp_1", "exp_2"]) == ["c2", "c1", "a0"]
    assert found(family, filtered=["exp_1#1", "b0", "nobody"]) == ["b0", "a0"]
    assert found(family, code_text="model.fit", parent_code_text="spawn_worker", filtered=["exp_1"]) == ["c1"]
    before = queries.query_process_list(family, code_text="import pandas")
    assert found(family, filtered=before, description_text="baseline") == ["c1"]
    assert found(family, filtered=[]) == []
    assert found(family, filtered="exp_2") == ["c2"]
    assert isinstance(before[0], Process)


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_every_kind_are_only_text(family: VaultPaths, text: str) -> None:
    """They match what contains them, and do no harm."""
    Recorded(family, "h1", "hostile").cell(0, f"before {text} after")
    assert "h1" in found(family, code_text=text)
    assert found(family, parent_code_text=text, description_text=text, filtered=[text]) == []
    assert queries.list_processes(family, name=text) == []
    assert listings.records(family, text) == [] and listings.descriptions(family, text) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"code_text": 5},
        {"description_embedding": []},
        {"description_embedding": ["a"]},
        {"filtered": [5]},
    ],
)
def test_bad_arguments_are_refused(vault: VaultPaths, arguments: dict[str, object]) -> None:
    """With a word that says which."""
    with pytest.raises(BadArgument):
        queries.query_process_list(vault, **arguments)


def test_bad_words_are_refused(vault: VaultPaths) -> None:
    """Unknown kinds and states, negative counts."""
    for arguments in ({"kind": "book"}, {"status": "asleep"}, {"limit": -1}):
        with pytest.raises(BadArgument):
            queries.list_processes(vault, **arguments)


def test_an_empty_vault_answers(vault: VaultPaths) -> None:
    """No results is an empty list."""
    assert queries.list_processes(vault) == queries.query_process_list(vault, code_text="x") == []
    assert listings.cells(vault) == listings.errors(vault) == listings.record_lists(vault) == []


def test_cells_newest_first(family: VaultPaths) -> None:
    """Of one process or of all, by page and state; times are aware."""
    assert [cell["seq"] for cell in listings.cells(family, "b0")] == [1, 0]
    assert [cell["seq"] for cell in listings.cells(family, "b0", limit=1, offset=1)] == [0]
    assert len(listings.cells(family)) == 5
    assert listings.cells(family, status="error") == []
    cell = listings.cell_text(family, "b0", 1)
    assert cell is not None and cell["code"] == "spawn_worker('exp_1')"
    assert cell["started_at"].utcoffset().total_seconds() == 0
    assert listings.cell_text(family, "b0", 99) is None


def test_records_as_rows_and_columns(family: VaultPaths) -> None:
    """Decoded, in order, spread by name."""
    process = Recorded(family, "r1", "recorder")
    process.append("list_created", list="losses", columns=["epoch", "loss"])
    for record in ({"epoch": 0, "loss": 1.5}, [1, 0.5], "odd"):
        process.record("losses", record)
    rows = listings.records(family, "losses")
    assert [row["seq"] for row in rows] == [0, 1, 2]
    assert listings.spread_records(rows, ["epoch", "loss"]) == [
        {"epoch": 0, "loss": 1.5},
        {"epoch": 1, "loss": 0.5},
        {"value": "odd"},
    ]
    (made,) = listings.record_lists(family)
    assert (made["name"], made["columns"], made["records"]) == ("losses", ["epoch", "loss"], 3)


def test_errors_requests_and_notices(family: VaultPaths) -> None:
    """The other lists."""
    process = Recorded(family, "e1", "failing")
    process.begin(0, "1/0")
    process.finish(0, "error", error_type="ZeroDivisionError", error_message="division by zero", traceback="Tr")
    request = process.ask("stop", reason="enough")
    assert [e["error_type"] for e in listings.errors(family, "e1")] == ["ZeroDivisionError"]
    assert [(r.request_id, r.reason, r.target) for r in listings.requests(family)] == [
        (request.request_id, "enough", "failing#1")
    ]
    assert listings.requests(family, "b0") == [] and listings.notices(family) == []
    assert {d["item_name"] for d in listings.descriptions(family)} == {"exp_2", "c1", "search:1"}
