"""Kernels of a real server: their notebooks are found, and their stops end them for good."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.control.ask import ask
from tablevault_ext.identity import Identity
from tablevault_ext.model import Action
from tests.support import events, process_named, running_script, wait_until

from .jupyter import SLOW_MACHINE, Server, run, run_all

pytestmark = pytest.mark.timeout(600)  # servers and kernels start and end, on whatever machine

LOOP = """
    import time
    open('started', 'w').close()
    while True:
        time.sleep(0.01)
        vault.checkpoint_execution()
"""


def named(name: str) -> str:
    return f"from tablevault_ext import Vault; vault = Vault(process_name={name!r})"


def loop_of(name: str) -> str:
    return LOOP.replace("started", f"{name}-started")


def running_notebook(server: Server, name: str) -> tuple[dict[str, Any], Any]:
    """A notebook under Run All, in the middle of its second cell."""
    session, client = server.open_notebook(f"{name}.ipynb")
    run_all(client, named(name), loop_of(name), f"open('{name}-later', 'w').close()")
    wait_until((server.root / f"{name}-started").exists, "the loop runs", SLOW_MACHINE)
    return session, client


def kernel_ids(server: Server) -> list[str]:
    return [kernel["id"] for kernel in server.call("GET", "api/kernels")]


def busy(server: Server, name: str) -> dict[str, Any] | None:
    process = server.processes().get(name)
    shown = process is not None and process["activity"] == "busy" and process["cells"] == 2 and process["notebook"]
    return process if shown else None


@pytest.mark.parametrize("way", ["rest", "python", "now"])
def test_a_stopped_notebook_ends_and_is_not_restarted(server: Server, way: str) -> None:
    """Whoever asks, and however: later cells do not run, kernel and session are gone, the row says stopped."""
    session, _ = running_notebook(server, way)
    process = wait_until(lambda: busy(server, way), "the notebook is shown as busy", SLOW_MACHINE)
    assert process["notebook"] == f"{way}.ipynb"
    assert process["current_cell"]["code"] == "import time"
    if way == "python":
        ask(server.vault, process["process_id"], Action.STOP, by="ana")
    else:
        wish = {"action": "stop", "now": way == "now"}
        path = f"tablevault/api/processes/{process['process_id']}/requests"
        made = server.call("POST", path, wish, 201)
        assert made["outcome"] is None
    wait_until(lambda: session["kernel"]["id"] not in kernel_ids(server), "the kernel is gone", SLOW_MACHINE)
    server.wait_for(way, "stopped")
    wait_until(lambda: server.processes()[way]["request"]["outcome"] == "effective", "its receipt", SLOW_MACHINE)
    assert session["id"] not in [each["id"] for each in server.call("GET", "api/sessions")]
    assert not (server.root / f"{way}-later").exists()
    assert process_named(server.vault, way).status == "stopped"
    assert "restarting" not in server.log.lower()
    assert len(events(server.vault, process["process_id"], "process_started")) == 1


def test_a_frozen_notebook_is_ended_now(server: Server) -> None:
    """Paused by signals, then stopped now: it goes on just enough to end."""
    session, _ = running_notebook(server, "frozen")
    process = server.wait_for("frozen", "running")
    path = f"tablevault/api/processes/{process['process_id']}/requests"
    server.call("POST", path, {"action": "pause", "now": True}, 201)
    server.wait_for("frozen", "paused")
    server.call("POST", path, {"action": "stop", "now": True}, 201)
    server.wait_for("frozen", "stopped")
    wait_until(lambda: session["kernel"]["id"] not in kernel_ids(server), "the kernel is gone", SLOW_MACHINE)
    assert not (server.root / "frozen-later").exists()


def test_what_the_kernel_had_started_is_ended_too(server: Server) -> None:
    """The server ends the kernel alone; a child in a session of its own would outlive it."""
    session, client = server.open_notebook("parent.ipynb")
    spawn = "import subprocess; child = subprocess.Popen(['sleep', '600'], start_new_session=True)"
    run_all(client, named("parent"), spawn, "open('child', 'w').write(str(child.pid))")
    child = Identity.of(int(wait_until(lambda: _text(server.root / "child"), "the child runs", SLOW_MACHINE)))
    assert child is not None and child.presence() == "alive"
    process = server.wait_for("parent", "running")
    path = f"tablevault/api/processes/{process['process_id']}/requests"
    server.call("POST", path, {"action": "stop", "now": True}, 201)
    server.wait_for("parent", "stopped")
    wait_until(lambda: child.presence() == "gone", "the child is gone", SLOW_MACHINE)
    wait_until(lambda: session["kernel"]["id"] not in kernel_ids(server), "the kernel is gone", SLOW_MACHINE)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_keep_kernel_aborts_the_run_and_keeps_the_kernel(server: Server) -> None:
    """The server leaves such a kernel alone."""
    session, client = running_notebook(server, "kept")
    process = server.wait_for("kept", "running")
    path = f"tablevault/api/processes/{process['process_id']}/requests"
    made = server.call("POST", path, {"action": "stop", "keep_kernel": True}, 201)
    wait_until(
        lambda: server.get(f"requests/{made['request_id']}")["outcome"] == "effective", "the stop is done", SLOW_MACHINE
    )
    assert session["kernel"]["id"] in kernel_ids(server)
    assert run(client, "vault.process_name")["status"] == "ok"
    wait_until(lambda: server.wait_for("kept", "running")["activity"] == "idle", "it is shown as idle", SLOW_MACHINE)
    assert not (server.root / "kept-later").exists()


def test_renames_are_followed(server: Server) -> None:
    """The path shown is the session's, not the one at launch."""
    session, client = server.open_notebook("before.ipynb")
    assert run(client, named("moved"))["status"] == "ok"
    server.wait_for("moved", "running")
    wait_until(lambda: server.processes()["moved"]["notebook"] == "before.ipynb", "the path is shown", SLOW_MACHINE)
    server.call("PATCH", f"api/sessions/{session['id']}", {"path": "after.ipynb", "name": "after.ipynb"})
    wait_until(lambda: server.processes()["moved"]["notebook"] == "after.ipynb", "the new path is shown", SLOW_MACHINE)


def test_pause_and_resume_through_rest(server: Server) -> None:
    """The panel's own way: pausing shows soon, and says where; resuming goes on."""
    running_notebook(server, "paused")
    process = server.wait_for("paused", "running")
    path = f"tablevault/api/processes/{process['process_id']}/requests"
    made = server.call("POST", path, {"action": "pause", "reason": "disk"}, 201)
    paused = server.wait_for("paused", "paused")
    assert paused["request"]["request_id"] == made["request_id"]
    assert paused["request"]["reason"] == "disk"
    assert paused["request"]["detail"]["place"].startswith("cell ")
    again = server.call("POST", path, {"action": "pause"}, 200)
    assert again["request_id"] == made["request_id"]
    server.call("POST", path, {"action": "resume"}, 201)
    wait_until(lambda: server.wait_for("paused", "running")["request"] is None, "it goes on", SLOW_MACHINE)


def test_a_restarted_server_goes_on(server: Server, tmp_path: Path) -> None:
    """A script lives through a restart of the server, and is stopped through the new one."""
    code = """
        import time
        from tablevault_ext import Vault

        vault = Vault(process_name="survivor")
        while True:
            vault.checkpoint_execution()
            time.sleep(0.01)
    """
    with running_script(tmp_path, code, env=os.environ | {"TABLEVAULT_HOME": str(server.vault.root)}):
        process = server.wait_for("survivor", "running")
        before = server.get("status")
        server.stop()
        assert list(server.vault.live.glob("server-*.json")) == []
        server.start()
        assert server.get("status")["server_started_at"] != before["server_started_at"]
        assert server.wait_for("survivor", "running")["process_id"] == process["process_id"]
        path = f"tablevault/api/processes/{process['process_id']}/requests"
        server.call("POST", path, {"action": "stop"}, 201)
        server.wait_for("survivor", "stopped")
