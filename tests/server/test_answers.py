"""Answers for real data hold to the contract's schemas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tablevault_ext.paths import VaultPaths
from tests.support import process_named, start_script, wait_for_status, wait_until

from .conftest import Fetch
from .test_contract import SPEC

pytestmark = pytest.mark.timeout(600)  # scripts and commands start and end, on whatever machine

SCRIPT = """
    import subprocess, sys, threading, time
    from tablevault_ext import Vault

    vault = Vault(process_name="train", description="a description")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)"])
    for step in range(500):
        vault.append_record("losses", {"step": step, "loss": 1 / (step + 1), "note": "x"})
    vault.append_record("rows", [1, 2.5])
    vault.append_record("scalars", 7)
    failing = threading.Thread(target=lambda: 1 / 0)
    failing.start()
    failing.join()
    vault.progress(3, 10, "epochs")
    print("hello", flush=True)
    print("Grüße", file=sys.stderr, flush=True)
    open("model.bin", "wb").write(b"x" * 1000)
    try:
        while True:
            vault.checkpoint_execution()
            time.sleep(0.005)
    finally:
        child.kill()
"""


def holds(data: Any, path: str, method: str = "get", status: str = "200") -> None:
    """Fail unless the data is what the contract says of this answer."""
    schema = SPEC["paths"][path][method]["responses"][status]
    if "$ref" in schema:
        schema = SPEC["components"]["responses"][schema["$ref"].rpartition("/")[2]]
    schema = schema["content"]["application/json"]["schema"] | {"components": SPEC["components"]}
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    errors = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(data)]
    assert not errors, (path, errors)


@pytest.fixture
def training(vault: VaultPaths, tmp_path: Path) -> Any:
    """A script under `tablevault run` in the middle of its work; it is ended at the end."""
    (tmp_path / "train.py").write_text("\n".join(line[4:] for line in SCRIPT.splitlines()))
    command = [sys.executable, "-m", "tablevault_ext.cli", "run", "--name", "train", "train.py"]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (tmp_path / "model.bin").exists(), "the training runs")
    yield wait_for_status(vault, "train", "running")
    child.terminate()
    child.wait(60)


def test_every_answer_about_a_living_process(fetch: Fetch, training: Any, tmp_path: Path) -> None:
    """Real data through every GET."""
    one = f"processes/{training.process_id}"
    asked = {
        "/status": "status",
        "/host": "host",
        "/processes": "processes",
        "/processes/{process_id}": one,
        "/processes/{process_id}/cells": f"{one}/cells",
        "/processes/{process_id}/cells/{seq}": f"{one}/cells/0",
        "/processes/{process_id}/errors": f"{one}/errors",
        "/processes/{process_id}/requests": f"{one}/requests",
        "/processes/{process_id}/impact": f"{one}/impact?action=stop",
        "/processes/{process_id}/children": f"{one}/children",
        "/processes/{process_id}/tree": f"{one}/tree",
        "/processes/{process_id}/actors": f"{one}/actors",
        "/processes/{process_id}/resources": f"{one}/resources",
        "/processes/{process_id}/metrics": f"{one}/metrics?points=10",
        "/processes/{process_id}/progress": f"{one}/progress",
        "/processes/{process_id}/files": f"{one}/files",
        "/processes/{process_id}/logs": f"{one}/logs",
        "/processes/{process_id}/logs/search": f"{one}/logs/search?q=GRÜSSE",
    }
    told = {}
    wait_until(lambda: _all_is_known(fetch, one), "what it did before its loop has come by all ways", 120)
    for path, address in asked.items():
        status, told[path] = fetch(address)
        assert status == 200, (path, told[path])
        holds(told[path], path)
    process = told["/processes"]["processes"][0]
    assert process == told["/processes/{process_id}"]["process"] | {
        key: process[key]
        for key in ("resources", "last_checkpoint_at", "checkpoints", "checkpoint_interval", "children")
    }
    assert (process["name"], process["kind"], process["status"]) == ("train", "script", "running")
    assert process["argv"] == ["train.py"]
    assert process["progress"]["desc"] == "epochs"
    assert process["errors"] == 1
    assert process["checkpoints"] > 0
    assert "vault = Vault" in told["/processes/{process_id}/cells/{seq}"]["code"]
    assert told["/processes/{process_id}/errors"]["errors"][0]["error_type"] == "ZeroDivisionError"
    assert told["/processes/{process_id}/impact"]["total"] >= 2
    assert [child["cmdline"] for child in told["/processes/{process_id}/tree"]["root"]["children"]]
    metrics = {each["name"]: each for each in told["/processes/{process_id}/metrics"]["lists"]}
    losses = metrics["losses"]
    assert (losses["rows"], losses["x"]["name"], [s["name"] for s in losses["series"]]) == (500, "step", ["loss"])
    assert losses["x"]["values"][0] == 0 and losses["x"]["values"][-1] == 499 and len(losses["x"]["values"]) <= 10
    assert losses["series"][0]["values"][0] == 1.0
    assert metrics["scalars"]["series"][0] == {"name": "value", "values": [7.0]}
    assert [file["path"].rpartition("/")[2] for file in told["/processes/{process_id}/files"]["files"]].count(
        "model.bin"
    )
    logs = told["/processes/{process_id}/logs"]
    texts = {segment["stream"]: segment["text"] for segment in logs["segments"]}
    assert texts["stdout"] == "hello\n" and "Grüße" in texts["stderr"]
    found = told["/processes/{process_id}/logs/search"]["matches"]
    assert [(match["stream"], match["line"]) for match in found] == [("stderr", "Grüße")]


def _all_is_known(fetch: Fetch, one: str) -> bool:
    """What a script did comes by several ways, some slower than others: journal, control block, pipes, the disk."""
    process = next(iter(fetch("processes")[1]["processes"]), None)
    if process is None or not (process["checkpoints"] and process["progress"] and process["errors"]):
        return False
    rows = {each["name"]: each["rows"] for each in fetch(f"{one}/metrics")[1]["lists"]}
    texts = {segment["stream"]: segment["text"] for segment in fetch(f"{one}/logs")[1]["segments"]}
    files = [Path(file["path"]).name for file in fetch(f"{one}/files")[1]["files"]]
    printed = "hello" in texts.get("stdout", "") and "Grüße" in texts.get("stderr", "")
    return printed and "model.bin" in files and rows.get("losses") == 500 and "scalars" in rows


def test_requests_from_asked_to_effective(vault: VaultPaths, fetch: Fetch, training: Any) -> None:
    """Made, joined, read, withdrawn, refused."""
    one = f"processes/{training.process_id}"
    requests = "/processes/{process_id}/requests"
    status, pause = fetch(f"{one}/requests", "POST", {"action": "pause", "reason": "disk"})
    assert status == 201
    holds(pause, requests, "post", "201")
    wait_until(lambda: fetch(f"requests/{pause['request_id']}")[1]["outcome"], "the pause is decided", 90)
    status, done = fetch(f"requests/{pause['request_id']}")
    holds(done, "/requests/{request_id}")
    assert (done["outcome"], done["reason"]) == ("effective", "disk")
    assert 0 <= done["latency"] < 30
    status, again = fetch(f"{one}/requests", "POST", {"action": "pause"})
    assert (status, again["request_id"]) == (200, pause["request_id"])
    status, late = fetch(f"requests/{pause['request_id']}", "DELETE")
    assert (status, late["reason"]) == (409, "wrong_state")
    holds(late, "/requests/{request_id}", "delete", "409")
    _, listed = fetch("processes")
    assert listed["processes"][0]["status"] == "paused"
    assert listed["processes"][0]["request"]["request_id"] == pause["request_id"]
    status, _ = fetch(f"{one}/requests", "POST", {"action": "resume"})
    assert status == 201
    wait_for_status(vault, "train", "running")
    status, refused = fetch(f"{one}/requests", "POST", {"action": "resume"})
    assert (status, refused["reason"]) == (409, "wrong_state")
    status, made = fetch(f"{one}/requests", "POST", {"action": "stop", "now": True, "grace": 60})
    assert status == 201 and made["now"]
    wait_until(lambda: fetch(one)[1]["process"]["status"] == "stopped", "the training is stopped", 90)
    status, all_of_them = fetch(f"{one}/requests")
    holds(all_of_them, requests)
    assert [r["action"] for r in all_of_them["requests"]] == ["stop", "resume", "pause"]
    status, refused = fetch(f"{one}/requests", "POST", {"action": "pause"})
    assert (status, refused["reason"]) == (409, "wrong_state")


def test_an_ended_process_is_explained_and_run_again(vault: VaultPaths, fetch: Fetch, tmp_path: Path) -> None:
    """A failure keeps its error; the same command line starts anew as run 2."""
    (tmp_path / "fails.py").write_text("import sys; print('about to fail', flush=True); {}[sys.argv[1]]")
    command = [sys.executable, "-m", "tablevault_ext.cli", "run", "--name", "fails", "fails.py", "lr"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=150)
    process = process_named(vault, "fails")
    one = f"processes/{process.process_id}"
    status, told = fetch(f"{one}/post-mortem")
    assert status == 200, told
    holds(told, "/processes/{process_id}/post-mortem")
    assert (told["status"], told["exit_code"], told["error"]["error_type"]) == ("failed", 1, "KeyError")
    assert "about to fail" in told["log"]["segments"][0]["text"]
    listed = wait_until(lambda: fetch("processes")[1]["processes"], "it is listed")
    assert listed[0]["error"] == "KeyError: 'lr'"
    status, made = fetch(f"{one}/run-again", "POST", {})
    assert status == 201, made
    holds(made, "/processes/{process_id}/run-again", "post", "201")
    assert (made["process"]["name"], made["process"]["run"]) == ("fails", 2)
    assert made["process"]["argv"] == ["fails.py", "lr"]
    wait_for_status(vault, "fails", "failed")
    assert process_named(vault, "fails").run == 2
    status, made = fetch(f"{one}/run-again", "POST", {"argv": [sys.executable, "-c", "print(1)"], "name": "other"})
    assert status == 201, made
    assert wait_for_status(vault, "other", "finished").kind == "command"


def test_a_living_process_has_no_post_mortem(fetch: Fetch, vault: VaultPaths, tmp_path: Path) -> None:
    """409, and what to do."""
    child = start_script(
        tmp_path, "import time; from tablevault_ext import Vault; Vault(process_name='a'); time.sleep(900)"
    )
    try:
        process = wait_for_status(vault, "a", "running")
        status, told = fetch(f"processes/{process.process_id}/post-mortem")
        assert (status, told["reason"]) == (409, "wrong_state")
        assert "has not ended" in told["message"]
        status, told = fetch(f"processes/{process.process_id}/run-again", "POST", {})
        assert (status, told["reason"]) == (409, "wrong_state")
        assert "is still there" in told["message"]
    finally:
        child.kill()
        child.communicate()
