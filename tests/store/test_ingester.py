"""One ingester a vault: elected, outside every tree, patient, gone when nobody needs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from tablevault_ext.journal.locks import hold
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store import ingester as module
from tablevault_ext.store.ingester import Ingester, ensure_ingester, role_lock

from ..support import wait_until
from .journals import NOBODY, Recorded, held_by_another_program, look


def ingesters_of(paths: VaultPaths) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if module.KEEPER in command and str(paths.root) in command:
            found.append(process)
    return found


@pytest.fixture(autouse=True)
def no_ingester_stays(vault: VaultPaths) -> Iterator[None]:
    yield
    for process in ingesters_of(vault):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has left by itself this moment
            process.terminate()
            process.wait(60)


def test_a_plain_client_sees_a_finished_cell(vault: VaultPaths) -> None:
    """With nothing but the ingester running, `duckdb.connect(path, read_only=True)` shows it."""
    process = Recorded(vault, "p1")
    assert ensure_ingester(vault)
    for seq in range(3):
        process.cell(seq, f"cell {seq}")
        wait_until(lambda seq=seq: (seq, "ok") in look(vault, "SELECT seq, status FROM cells"))


def test_there_is_one_and_it_is_nobodys_child(vault: VaultPaths) -> None:
    """Started many times at once: one process, in its own session, not below us, with nothing of ours around it."""
    Recorded(vault, "p1")
    os.environ["TABLEVAULT_PARENT"] = "p1"
    try:
        threads = [threading.Thread(target=ensure_ingester, args=(vault,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        del os.environ["TABLEVAULT_PARENT"]
    wait_until(lambda: look(vault, "FROM processes"))
    assert not ensure_ingester(vault)
    # Where the threads had seconds between them, a second one was started, was not elected, and leaves.
    wait_until(lambda: len(ingesters_of(vault)) == 1, "there is one")
    (one,) = ingesters_of(vault)
    assert one.pid not in {child.pid for child in psutil.Process().children(recursive=True)}
    assert os.getsid(one.pid) != os.getsid(0)
    assert not any(name.startswith("TABLEVAULT_") for name in one.environ())


def test_importing_it_does_not_import_duckdb() -> None:
    """Recording processes call `ensure_ingester`."""
    code = "import sys, tablevault_ext.store.ingester; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ensuring_costs_no_process_while_the_role_is_held(vault: VaultPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Jupyter server's thread counts as well as a process."""
    monkeypatch.setattr(module, "_start_detached", lambda paths: pytest.fail("started"))
    with hold(role_lock(vault)):
        assert not ensure_ingester(vault)


def test_a_second_ingester_leaves(vault: VaultPaths) -> None:
    """An ingester's own process that is not elected ends at once."""
    with hold(role_lock(vault)):
        command = [sys.executable, "-m", module.KEEPER, str(vault.root)]
        assert subprocess.run(command, timeout=120).returncode == 0


def test_it_lingers_and_leaves(vault: VaultPaths) -> None:
    """It stays while a process lives, and ends some time after the last one."""
    Recorded(vault, "p1").cell(0)
    turns: list[float] = []
    ingester = Ingester(vault, linger=0.3, extra_steps=[lambda: turns.append(time.monotonic())])
    ingester.start()
    wait_until(lambda: look(vault, "FROM processes"))
    # We live, so it must not leave, however long it has had nothing to do.
    wait_until(lambda: turns and turns[-1] - turns[0] > 1.0)
    assert ingester.elected
    Recorded(vault, "p1", identity=NOBODY)
    ingester._thread.join(60)
    assert not ingester.elected
    assert look(vault, "SELECT status FROM processes") == [("lost",)]


def test_who_writes_while_it_leaves_is_not_forgotten(vault: VaultPaths) -> None:
    """It looks once more after giving the role back: a recorder that saw the role taken relies on it."""
    ingester = Ingester(vault, linger=0.0)
    ingester.run_once()
    Recorded(vault, "p1", "late")
    assert not ingester._leave(), "there was something new, so it took the role again"
    assert ingester.elected
    ingester._not_before = 0.0
    ingester.run_once()
    assert look(vault, "SELECT process_id FROM processes") == [("p1",)]
    assert ingester._leave()


def test_it_ends_when_the_vault_is_deleted(vault: VaultPaths) -> None:
    """No process is left behind for a directory that is not there."""
    import shutil

    Recorded(vault, "p1")
    ensure_ingester(vault)
    wait_until(lambda: look(vault, "FROM processes"))
    (one,) = ingesters_of(vault)

    def delete() -> bool:
        shutil.rmtree(vault.root, ignore_errors=True)  # it may just be writing into it
        return not vault.root.exists()

    wait_until(delete, "the vault is deleted")
    one.wait(60)


def test_sigterm_ends_it_cleanly(vault: VaultPaths) -> None:
    """It finishes its pass and gives the role back."""
    Recorded(vault, "p1")
    command = [sys.executable, "-m", module.KEEPER, str(vault.root)]
    with subprocess.Popen(command) as one:
        wait_until(lambda: look(vault, "FROM processes"))
        one.send_signal(signal.SIGTERM)
        assert one.wait(60) == 0
    assert "ends" in (vault.root / "logs" / "ingester.log").read_text()


def test_it_catches_up_after_a_holder_has_left(vault: VaultPaths, caplog: pytest.LogCaptureFixture) -> None:
    """A read-write client keeps it out; it names the client, waits, and then everything is there."""
    process = Recorded(vault, "p1")
    ingester = Ingester(vault)
    ingester.run_once()
    ingester.start()
    try:
        with held_by_another_program(vault) as pid:
            process.cell(0)
            wait_until(lambda: f"pid {pid}" in caplog.text, "the holder is named")
        wait_until(lambda: look(vault, "SELECT seq FROM cells WHERE status = 'ok'") == [(0,)])
        wait_until(lambda: "can be written again" in caplog.text)
    finally:
        ingester.stop()


def test_a_lost_process_is_noticed_without_a_new_line(vault: VaultPaths) -> None:
    """The process table is looked at, too."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        from tablevault_ext.identity import Identity

        identity = Identity.of(child.pid)
        assert identity is not None
        Recorded(vault, "p1", identity=identity).begin(0)
        ingester = Ingester(vault)
        ingester.start()
        wait_until(lambda: look(vault, "SELECT status FROM processes") == [("running",)])
    finally:
        child.kill()
        child.wait()
    try:
        wait_until(lambda: look(vault, "SELECT status FROM processes") == [("lost",)])
        # Not looked at only once: the ingester may hold the file this moment.
        wait_until(lambda: look(vault, "SELECT status FROM cells") == [("lost",)])
    finally:
        ingester.stop()


def test_listeners_and_riders(vault: VaultPaths, caplog: pytest.LogCaptureFixture) -> None:
    """Changes are told by id, elected or not; extra steps ride on the loop; the failures of both do no harm."""
    told: list[set[str]] = []
    rides: list[bool] = []

    def ride() -> None:
        rides.append(True)
        raise RuntimeError("a faulty step")

    Recorded(vault, "p1")
    ingester = Ingester(vault, on_change=told.append, extra_steps=[ride])
    with hold(role_lock(vault)):
        assert ingester.run_once() is None
        assert told == [{"p1"}] and not rides
    ingester._next_election = 0.0
    ingester.run_once()
    assert told == [{"p1"}, {"p1"}] and rides == [True]
    assert "a faulty step" in caplog.text
    ingester.stop()
