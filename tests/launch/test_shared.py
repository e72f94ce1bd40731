"""Queues, values and events: across processes, beyond the death of each of them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import queue
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.errors import BadArgument, ExecutionStopped
from tablevault_ext.identity import Presence
from tablevault_ext.launch import shared_client
from tablevault_ext.launch.errors import NotPicklable, QueueEmpty, QueueFull, SharedStateLost, UnknownId
from tablevault_ext.launch.pool_desk import PoolDesk
from tablevault_ext.launch.shared import SharedDesk
from tablevault_ext.launch.shared_client import server_identity
from tablevault_ext.paths import VaultPaths

from ..support import running_script, wait_until
from .conftest import RecordingHost

CHILD = "from tablevault_ext.process_manager import *\n"


def produce(queue_id: str, count: int) -> int:
    from tablevault_ext.process_manager import put_queue_item

    for number in range(count):
        put_queue_item(queue_id, number)
    return os.getpid()


def in_script(folder: Path, code: str, **options: Any) -> str:
    with running_script(folder, CHILD + code, **options) as child:
        out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    return str(out).strip()


def server_pid(vault: VaultPaths) -> int:
    server = server_identity(vault)
    assert server is not None
    return server.pid


def test_a_queue_is_first_in_first_out_and_bounded(shared: SharedDesk) -> None:
    jobs = shared.create_queue(maxsize=2)
    assert (shared.is_queue_empty(jobs), shared.is_queue_full(jobs), shared.get_queue_size(jobs)) == (True, False, 0)
    assert shared.put_queue_item(jobs, "item1") is True
    shared.put_queue_item(jobs, {"key": [1, None]})
    assert (shared.is_queue_empty(jobs), shared.is_queue_full(jobs), shared.get_queue_size(jobs)) == (False, True, 2)
    with pytest.raises(QueueFull, match="was full; nothing"):
        shared.put_queue_item(jobs, 3, block=False)
    with pytest.raises(queue.Full):
        shared.put_queue_item(jobs, 3, timeout=0.05)
    assert (shared.get_queue_item(jobs), shared.get_queue_item(jobs)) == ("item1", {"key": [1, None]})
    with pytest.raises(QueueEmpty, match=r"was empty$"):
        shared.get_queue_item(jobs, block=False)
    began = time.monotonic()
    with pytest.raises(queue.Empty):
        shared.get_queue_item(jobs, timeout=0.4)
    assert time.monotonic() - began >= 0.4
    assert shared.delete_queue(jobs) is True


def test_clear_counts_and_list_shows(shared: SharedDesk) -> None:
    jobs = shared.create_queue("jobs", maxsize=5)
    assert jobs == "jobs"
    for number in range(3):
        shared.put_queue_item(jobs, number)
    [listed] = shared.list_queues()
    assert {key: listed[key] for key in ("queue_id", "maxsize", "size", "empty", "full")} == {
        "queue_id": "jobs",
        "maxsize": 5,
        "size": 3,
        "empty": False,
        "full": False,
    }
    assert shared.clear_queue(jobs) == 3
    assert shared.clear_queue(jobs) == 0
    shared.delete_queue(jobs)
    assert shared.list_queues() == []


def test_ids_and_names_work_in_workers_however_started(
    shared: SharedDesk, pools: PoolDesk, vault: VaultPaths, tmp_path: Path
) -> None:
    jobs = shared.create_queue("jobs")
    pool = pools.create_process_pool(1)
    assert pools.get_task_result(pools.submit_task(produce, jobs, 3, executor_id=pool), timeout=60) != os.getpid()
    assert [shared.get_queue_item(jobs, timeout=60) for _ in range(3)] == [0, 1, 2]
    for method in ("spawn", "fork", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=produce, args=(jobs, 2))
        process.start()
        assert [shared.get_queue_item(jobs, timeout=60) for _ in range(2)] == [0, 1]
        process.join()
        assert process.exitcode == 0
    in_script(tmp_path, "put_queue_item('jobs', 'from a script')")
    assert shared.get_queue_item(jobs, timeout=60) == "from a script"


def test_things_outlive_their_creator_until_they_are_deleted(
    shared: SharedDesk, vault: VaultPaths, tmp_path: Path
) -> None:
    code = """
        import os
        put_queue_item(create_queue("jobs"), "left behind")
        create_shared_value("count", "i", 7)
        set_event(create_event("go"))
        os.kill(os.getpid(), 9)
    """
    with running_script(tmp_path, "from tablevault_ext.process_manager import *\n" + _dedent(code)) as child:
        child.communicate(timeout=120)
    assert child.returncode == -9
    assert shared.get_queue_item("jobs", timeout=60) == "left behind"
    assert shared.get_shared_value("count") == 7
    assert shared.is_event_set("go") is True
    assert in_script(tmp_path, "print(get_shared_value('count'), delete_shared_value('count'))") == "7 True"
    with pytest.raises(UnknownId):
        shared.get_shared_value("count")


def test_items_of_classes_that_only_their_script_knows(shared: SharedDesk, tmp_path: Path) -> None:
    shared.create_queue("jobs")
    code = """
        class Job:
            def __init__(self, name): self.name = name
            def run(self): return f"ran {self.name}"
        put_queue_item("jobs", Job("one"))
    """
    in_script(tmp_path, _dedent(code))
    assert shared.get_queue_item("jobs", timeout=60).run() == "ran one"
    with pytest.raises(NotPicklable, match="item"):
        shared.put_queue_item("jobs", threading.Lock())


def test_values_keep_their_type(shared: SharedDesk) -> None:
    for value_type, first, then in (("i", 0, 42), ("b", False, True), ("d", 3.14, 2), ("s", "a", "grüße")):
        value = shared.create_shared_value(value_type=value_type, initial_value=first)
        assert shared.get_shared_value(value) == first
        shared.set_shared_value(value, then)
        assert shared.get_shared_value(value) == then
        assert type(shared.get_shared_value(value)) is type(first)
    big = shared.create_shared_value("big", "i", 10**30)
    assert shared.get_shared_value(big) == 10**30
    for bad in (1.5, "x", None, [1]):
        with pytest.raises(BadArgument, match="whole numbers"):
            shared.set_shared_value(big, bad)
    assert shared.get_shared_value(big) == 10**30
    with pytest.raises(BadArgument, match="value_type"):
        shared.create_shared_value(value_type="x")
    with pytest.raises(BadArgument, match="True or False"):
        shared.create_shared_value(value_type="b", initial_value="yes")


def test_an_event_wakes_who_waits_in_another_process(shared: SharedDesk, tmp_path: Path) -> None:
    go = shared.create_event("go")
    assert shared.wait_for_event(go, timeout=0.05) is False
    with running_script(tmp_path, CHILD + "print('up', flush=True); print(wait_for_event('go', timeout=100))") as child:
        assert child.stdout.readline() == "up\n"
        shared.set_event(go)
        out, err = child.communicate(timeout=120)
    assert out == "True\n", err
    assert shared.is_event_set(go) is True
    shared.clear_event(go)
    assert shared.is_event_set(go) is False


def test_who_waits_is_told_when_what_it_waits_for_is_deleted(shared: SharedDesk) -> None:
    jobs, go = shared.create_queue("jobs", 1), shared.create_event("go")
    shared.put_queue_item(jobs, 1)
    told: list[str] = []

    def wait(call: Any, *args: Any) -> None:
        try:
            call(*args)
        except UnknownId as error:
            told.append(str(error))

    threads = [
        threading.Thread(target=wait, args=(shared.put_queue_item, jobs, 2)),
        threading.Thread(target=wait, args=(shared.wait_for_event, go)),
    ]
    for thread in threads:
        thread.start()
    shared.delete_queue(jobs)
    shared.delete_event(go)
    for thread in threads:
        thread.join(60)
    assert len(told) == 2
    with pytest.raises(UnknownId, match="deleted"):
        shared.put_queue_item(jobs, 1)


def test_nothing_is_handed_to_a_dead_reader(shared: SharedDesk, tmp_path: Path) -> None:
    jobs = shared.create_queue("jobs")
    with running_script(tmp_path, CHILD + "print('up', flush=True); print(get_queue_item('jobs'))") as child:
        assert child.stdout.readline() == "up\n"
        time.sleep(0.1)  # it most likely waits at the server now; the test holds either way
        child.kill()
        child.wait()
    shared.put_queue_item(jobs, "precious")
    assert shared.get_queue_item(jobs, timeout=60) == "precious"


def test_an_interrupted_call_does_not_spoil_the_next(shared: SharedDesk, host: RecordingHost) -> None:
    jobs = shared.create_queue("jobs")
    shared.put_queue_item(jobs, "item")
    go = shared.create_event("go")

    def interrupt() -> None:
        wait_until(lambda: host.checkpoints, "it waits")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        shared.wait_for_event(go)
    thread.join()
    assert shared.get_queue_item(jobs, timeout=60) == "item"


def test_waiting_passes_checkpoints(shared: SharedDesk, host: RecordingHost) -> None:
    host.raises = ExecutionStopped("train")
    with pytest.raises(ExecutionStopped):
        shared.get_queue_item(shared.create_queue())
    with pytest.raises(ExecutionStopped):
        shared.wait_for_event(shared.create_event())


async def test_the_awaiting_twins(shared: SharedDesk) -> None:
    jobs, go = shared.create_queue(maxsize=1), shared.create_event()
    getting = asyncio.create_task(shared.aget_queue_item(jobs, timeout=60))
    waiting = asyncio.create_task(shared.await_for_event(go, timeout=60))
    await asyncio.sleep(0)
    await shared.aput_queue_item(jobs, "item")
    shared.set_event(go)
    assert await getting == "item"
    assert await waiting is True
    with pytest.raises(QueueEmpty):
        await shared.aget_queue_item(jobs, timeout=0.02)


def test_a_dead_server_is_replaced_and_says_what_was_lost(
    shared: SharedDesk, vault: VaultPaths, caplog: pytest.LogCaptureFixture
) -> None:
    shared.put_queue_item(shared.create_queue("jobs"), "gone")
    shared.create_shared_value("count", "i", 7)
    killed = server_pid(vault)
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(SharedStateLost, match=rf"queue 'jobs' was lost .* \(pid {killed}\)"):
        shared.get_queue_item("jobs", timeout=60)
    assert "queues jobs; values count" in caplog.text
    assert server_pid(vault) != killed
    assert shared.create_queue("jobs") == "jobs"
    shared.put_queue_item("jobs", "new")
    assert shared.get_queue_item("jobs", timeout=60) == "new"
    with pytest.raises(SharedStateLost, match="value 'count'"):
        shared.set_shared_value("count", 8)
    shared.delete_shared_value("count")
    with pytest.raises(UnknownId):
        shared.get_shared_value("count")


def test_a_server_that_goes_while_it_is_greeted_is_replaced(
    shared: SharedDesk, vault: VaultPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.set_event(shared.create_event("go"))
    server = server_identity(vault)
    assert server is not None
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: server.presence() is Presence.GONE, "the server has left")
    greet, hung_up = shared_client._tell_losses, []

    def hang_up_once(connection: Any) -> None:
        if not hung_up:
            hung_up.append(True)
            raise EOFError
        greet(connection)

    monkeypatch.setattr(shared_client, "_tell_losses", hang_up_once)
    assert shared.is_event_set("go") is True
    assert hung_up


def test_who_waits_while_the_server_dies_is_told(shared: SharedDesk, vault: VaultPaths, tmp_path: Path) -> None:
    shared.create_event("go")
    with running_script(tmp_path, CHILD + "print('up', flush=True); wait_for_event('go')") as child:
        assert child.stdout.readline() == "up\n"
        os.kill(server_pid(vault), signal.SIGKILL)
        _, err = child.communicate(timeout=120)
    assert "SharedStateLost" in err


def test_a_server_with_nothing_to_do_leaves_and_what_it_held_comes_back(
    shared: SharedDesk, vault: VaultPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLEVAULT_SHARED_LINGER", "1")
    shared.put_queue_item(shared.create_queue("jobs", maxsize=3), {"kept": True})
    shared.set_event(shared.create_event("go"))
    first = server_identity(vault)
    assert first is not None
    wait_until(lambda: first.presence() is Presence.GONE, "the server has left")
    assert shared.get_queue_item("jobs", timeout=60) == {"kept": True}
    assert shared.is_event_set("go") is True
    second = server_identity(vault)
    assert second != first


def test_many_ask_at_once_and_there_is_one_server(vault: VaultPaths, tmp_path: Path) -> None:
    code = """
        import sys
        for number in range(20): create_event(f"{sys.argv[1]}-{number}")
        from tablevault_ext.launch.shared_client import server_identity
        from tablevault_ext.paths import open_vault
        print(server_identity(open_vault()).pid)
    """
    from contextlib import ExitStack

    with ExitStack() as stack:
        children = [
            stack.enter_context(running_script(tmp_path, CHILD + _dedent(code), str(n), name=f"s{n}.py"))
            for n in range(5)
        ]
        answers = [child.communicate(timeout=120) for child in children]
    assert len({out for out, _ in answers}) == 1, answers
    assert answers[0][0].strip() == str(server_pid(vault))


def test_socket_key_and_state_are_private(shared: SharedDesk, vault: VaultPaths) -> None:
    shared.create_queue("jobs")
    folder = vault.root / "shared"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        if not file.is_dir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_a_stranger_without_the_key_is_refused(shared: SharedDesk, vault: VaultPaths) -> None:
    import json
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Client

    shared.create_queue("jobs")
    address = json.loads((vault.root / "shared" / "server.json").read_text())["address"]
    with pytest.raises(AuthenticationError):
        Client(address, "AF_UNIX", authkey=b"guess")
    assert shared.get_queue_size("jobs") == 0


def test_a_vault_with_a_long_path(tmp_path: Path) -> None:
    from tablevault_ext.paths import open_vault

    long = open_vault(tmp_path / ("x" * 120))
    desk = SharedDesk(RecordingHost(long))
    desk.put_queue_item(desk.create_queue("jobs"), 1)
    assert desk.get_queue_item("jobs", timeout=60) == 1
    server = server_identity(long)
    assert server is not None
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: server.presence() is Presence.GONE)


def test_bad_arguments(shared: SharedDesk) -> None:
    jobs = shared.create_queue("jobs")
    for call in (
        lambda: shared.get_queue_item("nobody"),
        lambda: shared.put_queue_item("nobody", 1),
        lambda: shared.get_queue_size("nobody"),
        lambda: shared.clear_queue("nobody"),
        lambda: shared.delete_queue("nobody"),
        lambda: shared.get_shared_value("nobody"),
        lambda: shared.set_shared_value("nobody", 1),
        lambda: shared.delete_shared_value("nobody"),
        lambda: shared.set_event("nobody"),
        lambda: shared.wait_for_event("nobody"),
        lambda: shared.delete_event("nobody"),
    ):
        with pytest.raises(UnknownId, match="never created here, or it was deleted"):
            call()
    with pytest.raises(UnknownId, match="is a queue, not an event"):
        shared.set_event(jobs)
    with pytest.raises(BadArgument, match="already"):
        shared.create_queue("jobs")
    for bad in (-1, "2", 1.5):
        with pytest.raises(BadArgument, match="maxsize"):
            shared.create_queue(maxsize=bad)  # type: ignore[arg-type]
    for name in ("", " ", "x" * 300, 5, "a\0b"):
        with pytest.raises(BadArgument, match="queue_id"):
            shared.create_queue(name)  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="0 or more"):
        shared.get_queue_item(jobs, timeout=-1)
    with pytest.raises(BadArgument, match="0 or more"):
        shared.wait_for_event(jobs, timeout=-1)
    with pytest.raises(BadArgument, match="string"):
        shared.get_queue_item(7)  # type: ignore[arg-type]
    assert shared.create_queue("日本 'quoted\" \n name") == "日本 'quoted\" \n name"


def _dedent(code: str) -> str:
    import textwrap

    return textwrap.dedent(code)
