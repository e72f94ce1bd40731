"""What is going on now, and what was left open by processes that are gone."""

from __future__ import annotations

from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.operations import abandoned_operations, current_operations

from .journals import NOBODY, Recorded


def test_running_cells_scripts_commands_and_requests(vault: VaultPaths) -> None:
    """Each with its process, start and age; what has ended, and an idle notebook, are no operations."""
    notebook = Recorded(vault, "n1", "analysis")
    notebook.cell(0, "done")
    notebook.begin(1, "\nwork()\nmore()")
    Recorded(vault, "n2", "idle notebook").cell(0)
    Recorded(vault, "s1", "train", kind="script", path="/x/train.py").begin(0, "source")
    Recorded(vault, "c1", "ffmpeg", kind="command", argv=["ffmpeg", "-i", "x"])
    Recorded(vault, "s2", "over", kind="script").end()
    request = notebook.ask("stop", reason="enough")
    operations = current_operations(vault)
    assert [(o.what, o.process_name, o.seq, o.gone) for o in operations] == [
        ("cell", "analysis#1", 1, False),
        ("script", "train#1", 0, False),
        ("command", "ffmpeg#1", None, False),
        ("stop request", "analysis#1", None, False),
    ]
    assert operations[-1].request_id == request.request_id
    assert all(o.age >= 0 and isinstance(o.timestamp, int) for o in operations)
    assert len({o.timestamp for o in operations}) == len(operations)
    text = str(operations)
    assert text == repr(operations) and len(text.splitlines()) == 4
    assert "cell [1] of analysis#1" in text and "work()" in text and "more()" not in text
    assert abandoned_operations(vault) == []


def test_what_the_dead_left_open(vault: VaultPaths) -> None:
    """Marked as gone; closed for good once an ending was observed."""
    dead = Recorded(vault, "d1", "crashed", identity=NOBODY, kind="script")
    dead.begin(0, "source")
    request = dead.ask("stop", now=True)
    assert [(o.what, o.gone) for o in current_operations(vault)] == [("script", True), ("stop request", True)]
    assert current_operations(vault) == abandoned_operations(vault) or len(abandoned_operations(vault)) == 2
    assert "its process is gone" in str(current_operations(vault))
    from tablevault_ext.journal.inbox import append_to_inbox

    append_to_inbox(vault, "d1", {"e": "observed", "id": request.request_id, "at": 1, "status": "lost", "ended": True})
    assert current_operations(vault) == []


def test_timestamps_are_unique(vault: VaultPaths) -> None:
    """Two things that began in the same microsecond can still be told apart."""
    for process_id in ("p1", "p2", "p3"):
        process = Recorded(vault, process_id, process_id)
        process.append_at(1_700_000_000_000_000, "cell_started", {"seq": 0, "code": "x"})
    assert [o.timestamp - 1_700_000_000_000_000 for o in current_operations(vault)] == [0, 1, 2]


def test_nothing_going_on_reads_well(vault: VaultPaths) -> None:
    """Not an empty string."""
    assert str(current_operations(vault)) == "nothing is going on"
