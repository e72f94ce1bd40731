"""The list: what it shows, how it learns of changes, and how it tells of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.control.sampling import Sampling
from tablevault_ext.identity import Identity
from tablevault_ext.journal.names import claim_name
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import new_process_id
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.engine import alone_in_process
from tests.support import start_script, wait_for_status, wait_until

from .conftest import Fetch


class Recorded:
    """A process of this vault as its journal tells it; living ones are this very process."""

    def __init__(self, vault: VaultPaths, name: str, *, kind: str = "script", **fields: Any) -> None:
        self.process_id = new_process_id()
        claim = claim_name(vault, name, self.process_id, Identity.mine(), suffix=True)
        self.journal = JournalWriter(vault.journal(self.process_id), self.process_id)
        started = {"kind": kind, "status": "running", "identity": Identity.mine().to_json(), "run": claim.run}
        self.journal.append("process_started", **started, name=name, **({"user_id": "ana"} | fields))

    def end(self, at: float = 0.0, status: str = "finished") -> None:
        ended_at = int((at or time.time()) * 1e6)
        self.journal.append("process_ended", status=status, exit_code=0, ended_at=ended_at, boot="", mono=0)
        self.journal.close()


def names(told: dict[str, Any]) -> list[str]:
    return [process["name"] for process in told["processes"]]


def _listed(fetch: Fetch, *wanted: str) -> None:
    """Wait until the server has met them: those that begin after it has read the vault come with its watching."""
    wait_until(lambda: set(names(fetch("processes")[1])) == set(wanted), "the server has met them")


def test_what_is_listed(vault: VaultPaths, fetch: Fetch) -> None:
    """Everything living and what ended lately, newest first; filters are ANDed; ancestors of what is listed stay."""
    Recorded(vault, "old").end(time.time() - 3 * 86_400)
    parent = Recorded(vault, "parent", kind="notebook")
    Recorded(vault, "child", kind="worker", parent_id=parent.process_id, user_id="ben", description="Große Datei")
    Recorded(vault, "done").end()
    wait_until(lambda: names(fetch("processes")[1]) == ["done", "child", "parent"], "all are listed")
    assert names(fetch("processes?ended_within=0")[1]) == ["child", "parent"]
    assert names(fetch("processes?ended_within=864000")[1]) == ["done", "child", "parent", "old"]
    assert names(fetch("processes?q=GROSSE")[1]) == ["child", "parent"]
    assert names(fetch("processes?kind=worker,command")[1]) == ["child", "parent"]
    assert names(fetch("processes?status=finished")[1]) == ["done"]
    assert names(fetch("processes?mine=true")[1]) == []
    _, told = fetch("processes?limit=1")
    assert (names(told), told["total"]) == (["done"], 3)
    by_name = {process["name"]: process for process in fetch("processes")[1]["processes"]}
    assert by_name["parent"]["children"]["worker"] == 1
    assert by_name["parent"]["activity"] == "idle"


@pytest.fixture
def unsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU and memory are changes, too, and come when they come."""
    monkeypatch.setattr(Sampling, "step", lambda self: None)


def test_only_what_changed_is_told_when_the_caller_knows_the_rest(
    vault: VaultPaths, unsampled: None, fetch: Fetch
) -> None:
    """`since`: the changed ones, and those that left the list; unknown revisions are answered in full."""
    first, second = Recorded(vault, "first"), Recorded(vault, "second")
    _listed(fetch, "first", "second")
    _, told = fetch("processes")
    assert (sorted(names(told)), told["partial"]) == (["first", "second"], False)
    second.journal.append("cell_started", seq=0, code="# comment\nwork()", cell_id="abc")

    def changed() -> Any:
        _, news = fetch(f"processes?since={told['revision']}")
        return news["processes"] and news

    news = wait_until(changed, "the cell is told")
    assert (names(news), news["partial"], news["removed"]) == (["second"], True, [])
    assert news["processes"][0]["current_cell"]["code"] == "work()"
    first.end()
    wait_until(lambda: fetch("processes?ended_within=0")[1]["total"] == 1, "the first has ended")
    _, news = fetch(f"processes?since={told['revision']}&ended_within=0")
    assert (names(news), news["removed"]) == (["second"], [first.process_id])
    assert fetch(f"processes?since={news['revision'] + 1000}")[1]["partial"] is False


def test_a_killed_process_is_lost_and_a_suspended_one_paused_from_outside(
    vault: VaultPaths, fetch: Fetch, tmp_path: Path
) -> None:
    """Nobody writes these down; whoever looks sees them."""
    code = "import time; from tablevault_ext import Vault; Vault(process_name='a'); time.sleep(900)"
    child = start_script(tmp_path, code)
    try:
        process = wait_for_status(vault, "a", "running")

        def shown() -> dict[str, Any]:
            return fetch(f"processes/{process.process_id}")[1]["process"]

        assert shown()["status"] == "running"
        os.kill(child.pid, signal.SIGSTOP)
        assert wait_until(lambda: shown()["paused_from_outside"], "the suspension is seen")
        wait_until(lambda: fetch("processes")[1]["processes"][0]["status"] == "paused", "the list has it")
        os.kill(child.pid, signal.SIGCONT)
        wait_until(lambda: shown()["status"] == "running", "it goes on")
    finally:
        child.kill()
        child.communicate()
    wait_until(lambda: fetch("processes")[1]["processes"][0]["status"] == "lost", "the loss is seen")


def test_changes_are_signalled_with_ids_and_counters_only(
    vault: VaultPaths, fetch: Fetch, jp_ws_fetch: Any, jp_asyncio_loop: Any
) -> None:
    """On the server's own event stream; the same counter as in the list."""
    recorded = Recorded(vault, "train")
    _listed(fetch, "train")
    before = fetch("processes")[1]["revision"]
    socket = jp_asyncio_loop.run_until_complete(jp_ws_fetch("api", "events", "subscribe"))
    recorded.journal.append("cell_started", seq=0, code="secret_code()")

    async def next_of_ours() -> dict[str, Any]:
        while True:
            event = json.loads(await socket.read_message())
            if event["schema_id"].endswith("/changed/v1") and "cells" in event["parts"]:
                return event

    import asyncio

    event = jp_asyncio_loop.run_until_complete(asyncio.wait_for(next_of_ours(), 90))
    socket.close()
    assert event["process_ids"] == [recorded.process_id]
    assert event["revision"] > before
    assert "secret" not in json.dumps(event)


HOLD = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(900)"


@pytest.fixture
def holder(vault: VaultPaths) -> Iterator[Any]:
    """Another program that opens the database to write and keeps it open, as soon as it is called."""
    programs: list[subprocess.Popen[str]] = []

    def hold() -> subprocess.Popen[str]:
        for _ in range(100):  # our own programs hold it now and then, for moments
            program = subprocess.Popen(
                [sys.executable, "-c", HOLD, str(vault.database)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            programs.append(program)
            assert program.stdout is not None
            if program.stdout.readline() == "held\n":
                return program
        raise AssertionError("the database could not be held")

    yield hold
    for program in programs:
        program.kill()
        program.communicate()


def test_a_held_database_is_told_with_its_holder(vault: VaultPaths, fetch: Fetch, holder: Any) -> None:
    """List, details and control go on from the journals; when it is let go, the notice goes."""
    recorded = Recorded(vault, "train")
    _listed(fetch, "train")
    wait_until(lambda: vault.database.exists(), "the database is there")
    program = holder()
    recorded.journal.append("cell_started", seq=0, code="while_held()")
    notice = wait_until(lambda: fetch("processes")[1]["notice"], "the notice is there", 90)
    assert (notice["kind"], notice["holder"]["pid"]) == ("locked", program.pid)
    wait_until(lambda: fetch("processes")[1]["processes"][0]["cells"] == 1, "the cell is listed")
    status, told = fetch(f"processes/{recorded.process_id}/cells")
    assert (status, told["cells"][0]["code"]) == (200, "while_held()")
    assert told["notice"]["kind"] == "locked"
    assert fetch("status")[1]["notice"]["kind"] == "locked"
    program.kill()
    program.wait()
    wait_until(lambda: fetch("processes")[1]["notice"] is None, "the notice is gone", 90)


def test_a_corrupt_database_is_told(vault: VaultPaths, fetch: Fetch) -> None:
    """Answers come from the journals, and the message says what to do."""
    recorded = Recorded(vault, "train")
    _listed(fetch, "train")
    wait_until(lambda: vault.database.exists(), "the database is there")
    with alone_in_process():  # the server's own threads would write over it what they have open
        vault.database.write_bytes(b"garbage" * 1000)
    recorded.journal.append("cell_started", seq=0, code="x")  # without news nobody would look into it
    notice = wait_until(lambda: fetch("processes")[1]["notice"], "the notice is there", 90)
    assert notice["kind"] == "corrupt"
    assert "tablevault rebuild" in notice["message"]
    assert names(fetch("processes")[1]) == ["train"]


def test_a_newer_vault_is_told(vault: VaultPaths, fetch: Fetch) -> None:
    """The living are still shown from their own files."""
    import duckdb

    recorded = Recorded(vault, "train")
    _listed(fetch, "train")
    wait_until(lambda: vault.database.exists(), "the database is there")

    def make_newer() -> bool:
        try:
            with alone_in_process(), duckdb.connect(str(vault.database)) as connection:
                connection.execute("UPDATE vault_meta SET schema_version = 999")
            return True
        except duckdb.Error:
            return False

    wait_until(make_newer, "the database is newer")
    recorded.journal.append("cell_started", seq=0, code="x")
    notice = wait_until(lambda: fetch("processes")[1]["notice"], "the notice is there", 90)
    assert notice["kind"] == "newer"
    wait_until(lambda: fetch("processes")[1]["processes"][0]["cells"] == 1, "the cell is listed")
    status, told = fetch(f"processes/{recorded.process_id}/cells")
    assert (status, told["reason"]) == (503, "newer")


@pytest.fixture
def vault_is_a_file(vault: VaultPaths) -> None:
    """Something else in the vault's place before the server starts."""
    vault.root.rename(vault.root.with_suffix(".away"))
    vault.root.write_text("no vault")


def test_a_vault_that_cannot_be_used_is_told_and_tried_again(
    vault: VaultPaths, vault_is_a_file: None, fetch: Fetch
) -> None:
    """The server starts all the same; as soon as the vault can be used, all is well."""
    status, told = wait_until(lambda: fetch("status") if fetch("status")[1]["notice"] else None, "the notice is there")
    assert (status, told["notice"]["kind"]) == (200, "permission")
    status, told = fetch("processes")
    assert (status, told["processes"], told["notice"]["kind"]) == (200, [], "permission")
    status, told = fetch("processes/x")
    assert status == 503 and "is a file" in told["message"]
    vault.root.unlink()
    vault.root.with_suffix(".away").rename(vault.root)
    wait_until(lambda: fetch("status")[1]["notice"] is None, "the vault is opened")
    Recorded(vault, "train")
    wait_until(lambda: names(fetch("processes")[1]) == ["train"], "it is listed")
