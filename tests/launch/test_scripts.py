"""Whole scripts and real kernels: by value, without a guard, stopped, paused, interrupted, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tablevault_ext.control.requests import make_request
from tablevault_ext.identity import Identity
from tablevault_ext.journal.names import resolve
from tablevault_ext.launch.errors import UnknownId
from tablevault_ext.launch.shared import SharedDesk
from tablevault_ext.model import Action
from tablevault_ext.paths import VaultPaths

from ..support import Kernel, process_named, running_script, wait_for_status, wait_until

BEGIN = "from tablevault_ext.process_manager import *\n"


def gone(pid: int) -> bool:
    return Identity.of(pid) is None


def test_a_script_without_a_guard_does_not_run_itself_again(tmp_path: Path) -> None:
    code = """
        print("begins")
        class Point:
            def __init__(self, x): self.x = x
            def __eq__(self, other): return type(self) is type(other) and self.x == other.x
        class Bad(Exception): pass
        def make(x):
            if x == 3: raise Bad(f"no {x}")
            return Point(x)
        print(get_task_result(submit_task(make, 1)) == Point(1))
        print(map_tasks(make, [1, 2]) == [Point(1), Point(2)])
        try:
            map_tasks(make, [1, 2, 3])
        except Bad as error:
            print("caught", error)
        def make(x): return "newest"
        print(get_task_result(submit_task(make, 1)))
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        out, err = child.communicate(timeout=120)
    assert out == "begins\nTrue\nTrue\ncaught no 3\nnewest\n", err


def test_so_does_a_module_and_a_string(tmp_path: Path) -> None:
    code = f"{BEGIN}print('begins')\ndef f(): return 'by value'\nprint(get_task_result(submit_task(f)))\n"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "__main__.py").write_text(code)
    for arguments in (["-m", "package"], ["-c", code]):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stdout == "begins\nby value\n", done.stderr


def test_a_script_that_ends_lets_its_tasks_finish(tmp_path: Path) -> None:
    code = """
        import time
        from pathlib import Path
        def work(n):
            time.sleep(0.05)
            Path(f"done-{n}").touch()
        pool = create_process_pool(2)
        for n in range(8): submit_task(work, n, executor_id=pool)
        for n in range(8, 10): submit_task(work, n, executor_id=get_default_thread_pool())
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        _, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, "")
    assert len(list(tmp_path.glob("done-*"))) == 10


def test_workers_go_when_their_creator_is_killed(tmp_path: Path, vault: VaultPaths) -> None:
    code = """
        import time
        def work():
            run_process(["sleep", "300"])
        pool = create_process_pool(2, "mine")
        for _ in range(2): submit_task(work, executor_id=pool)
        commands = []
        while len(get_process_manager().worker_identities()) < 2: time.sleep(0.01)
        print("up", flush=True)
        time.sleep(600)
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        assert child.stdout.readline() == "up\n"
        sleepers = wait_until(lambda: _named(vault, "sleep", "sleep-2"), "both workers run their command")
        workers = _named(vault, "mine.worker", "mine.worker-2")
        assert len(workers) == 2
        child.kill()
        child.wait()
        for pid in (*workers, *sleepers):
            wait_until(lambda pid=pid: gone(pid), "nothing of it is left")


def _named(vault: VaultPaths, *names: str) -> list[int]:
    found = [process_named(vault, name) for name in names]
    return [process.pid for process in found if process and process.pid] if all(found) else []


@pytest.mark.parametrize("how", ["SIGTERM", "request"])
def test_a_stop_while_it_maps_gets_out_at_once_and_leaves_no_worker(
    how: str, tmp_path: Path, vault: VaultPaths
) -> None:
    code = """
        import time
        from tablevault_ext import Vault
        Vault(process_name="train")
        create_process_pool(2, "mine")
        try:
            map_tasks(time.sleep, [300] * 10, executor_id="mine", progress=lambda done, total: None)
        finally:
            print("saved", flush=True)
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        workers = wait_until(lambda: _named(vault, "mine.worker", "mine.worker-2"), "both workers work")
        if how == "SIGTERM":
            child.send_signal(signal.SIGTERM)
        else:
            make_request(vault, resolve(vault, "train"), Action.STOP)
        out, err = child.communicate(timeout=120)
    assert (out, child.returncode) == ("saved\n", 75), err
    for pid in workers:
        wait_until(lambda pid=pid: gone(pid), "no worker is left")
    assert wait_for_status(vault, "train", "stopped").status == "stopped"
    assert [process_named(vault, name).status for name in ("mine.worker", "mine.worker-2")] == ["stopped"] * 2


def test_a_pause_while_it_maps_pauses_the_workers(tmp_path: Path, vault: VaultPaths) -> None:
    code = """
        import os, time
        from tablevault_ext import Vault
        Vault(process_name="train")
        create_process_pool(1, "mine")
        def slow(x):
            while not os.path.exists("go"): time.sleep(0.02)
            return x
        print(sum(map_tasks(slow, range(200), executor_id="mine")))
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        [worker] = wait_until(lambda: _named(vault, "mine.worker"), "the worker works")
        identity = Identity.of(worker)
        assert identity is not None
        make_request(vault, resolve(vault, "train"), Action.PAUSE)
        wait_for_status(vault, "train", "paused")
        wait_until(identity.suspended, "the worker is suspended")
        (tmp_path / "go").touch()  # not before: it must have something to do while it is paused
        make_request(vault, resolve(vault, "train"), Action.RESUME)
        out, err = child.communicate(timeout=120)
    assert out.strip() == str(sum(range(200))), err


def test_a_recorded_task_is_a_row_of_its_worker(tmp_path: Path, vault: VaultPaths) -> None:
    code = """
        def work():
            from tablevault_ext import Vault
            vault = Vault()
            vault.checkpoint_execution()
            return vault.process_id
        create_process_pool(1, "mine")
        print(get_task_result(submit_task(work, executor_id="mine")))
        shutdown_executor("mine")
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        out, err = child.communicate(timeout=120)
    worker = process_named(vault, "mine.worker")
    assert worker is not None
    assert (worker.process_id, worker.kind, worker.status) == (out.strip(), "worker", "finished"), err


def test_a_forked_child_has_a_manager_of_its_own(tmp_path: Path) -> None:
    code = """
        import os, sys
        pool = create_process_pool(1)
        task = submit_task(abs, -1, executor_id=pool)
        print(get_task_result(task), flush=True)
        child = os.fork()
        if child == 0:
            assert get_task_status(task) is None and list_executors() == [] and list_processes() == []
            print(get_task_result(submit_task(abs, -2)), run_process("echo 3")["stdout"], end="", flush=True)
            shutdown_executor(get_default_process_pool())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(get_task_result(submit_task(abs, -4, executor_id=pool)))
    """
    with running_script(tmp_path, BEGIN + textwrap.dedent(code)) as child:
        out, err = child.communicate(timeout=120)
    assert out.split() == ["1", "2", "3", "4"], err


def test_sharing_alone_records_nothing(tmp_path: Path, vault: VaultPaths) -> None:
    with running_script(tmp_path, BEGIN + "delete_queue(create_queue())\nlock_context(create_lock())\n") as child:
        child.communicate(timeout=120)
    assert child.returncode == 0
    assert list(vault.journals.iterdir()) == []


# Kernels


def test_the_newest_definition_of_a_cell_runs(kernel: Kernel) -> None:
    for cell in (BEGIN + "pool = create_process_pool(1)", "def g(): return 'old'", "def f(): return g()"):
        assert kernel.run(cell).status == "ok"
    assert "old" in kernel.run("print(get_task_result(submit_task(f, executor_id=pool)))").text
    kernel.run("def g(): return 'new'")
    assert "new" in kernel.run("print(get_task_result(submit_task(f, executor_id=pool)))").text
    assert "[0, 2]" in kernel.run("print(map_tasks(lambda x: 2 * x, range(2), executor_id=pool))").text


def test_the_interrupt_button_does_not_break_the_pool(kernel: Kernel, vault: VaultPaths, tmp_path: Path) -> None:
    assert kernel.run(BEGIN + "import os, time; pool = create_process_pool(2, 'mine')").status == "ok"
    # Even while its workers are being started.
    cell = kernel.send("map_tasks(time.sleep, [0.2] * 500, executor_id=pool)")
    wait_until(lambda: process_named(vault, "mine.worker"), "the first worker is being started")
    kernel.manager.interrupt_kernel()
    assert kernel.reply_to(cell)["ename"] == "KeyboardInterrupt"
    pids = _pids(kernel)
    cell = kernel.send("open('begun', 'w').close(); map_tasks(time.sleep, [0.2] * 500, executor_id=pool)")
    wait_until((tmp_path / "begun").exists, "the second map runs")
    kernel.manager.interrupt_kernel()
    assert kernel.reply_to(cell)["ename"] == "KeyboardInterrupt"
    _pids(kernel)
    cell = kernel.send("run_process(['sleep', '300'])")
    sleeper = wait_until(lambda: process_named(vault, "sleep"), "the command runs")
    kernel.manager.interrupt_kernel()
    assert kernel.reply_to(cell)["ename"] == "KeyboardInterrupt"
    assert gone(sleeper.pid or 0)
    again = _pids(kernel)
    assert pids
    assert again <= pids | set(_named(vault, "mine.worker", "mine.worker-2"))
    statuses = kernel.run("print({worker.presence() for worker in get_process_manager().worker_identities()})").text
    assert "GONE" not in statuses


def _pids(kernel: Kernel) -> set[int]:
    """The processes that run a map's items."""
    cell = "print(sorted(set(map_tasks(lambda _: os.getpid(), range(50), executor_id=pool))))"
    reply = kernel.run(cell)
    assert reply.status == "ok", reply.text
    return {int(word) for word in reply.text.strip("[] \n").split(",")}


def test_an_interrupt_leaves_background_commands_alone(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.run(BEGIN + "command = start_process(['sleep', '300'], name='keeper')").status == "ok"
    cell = kernel.send("import time; open('begun', 'w').close(); time.sleep(300)")
    wait_until((tmp_path / "begun").exists, "the cell runs")
    kernel.manager.interrupt_kernel()
    assert kernel.reply_to(cell)["ename"] == "KeyboardInterrupt"
    assert "running" in kernel.run("print(command.status)").text


def test_await_works_in_cells(kernel: Kernel) -> None:
    cell = """
        from tablevault_ext.process_manager import *
        result = await arun_process("echo hello")
        lines = [line async for line in start_process("echo one; echo two")]
        with process_pool(1) as pool:
            print(f"{result['stdout']} {lines} {await pool.submit(abs, -5)}")  # in one piece, it may be sent in several
    """
    assert "hello\n ['one', 'two'] 5" in kernel.run(cell).text


def test_two_kernels_share_by_name(start_kernel, shared: SharedDesk) -> None:  # type: ignore[no-untyped-def]
    one, two = start_kernel(), start_kernel()
    assert one.run(BEGIN + "put_queue_item(create_queue('jobs'), {'from': 'one'})").status == "ok"
    assert "{'from': 'one'}" in two.run(BEGIN + "print(get_queue_item('jobs', timeout=60))").text
    assert two.run("delete_queue('jobs')").status == "ok"
    with pytest.raises(UnknownId):
        shared.get_queue_size("jobs")
    assert os.environ["TABLEVAULT_HOME"]
