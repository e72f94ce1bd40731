"""Pools and tasks: what a task becomes, what a dead worker costs, what must not hang."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import sys
import threading
import time
from multiprocessing import spawn
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.errors import BadArgument, ExecutionStopped
from tablevault_ext.identity import Identity
from tablevault_ext.launch.errors import (
    ExecutorClosed,
    LaunchError,
    NotPicklable,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskTimeout,
    UnknownId,
)
from tablevault_ext.launch.payload import WorkerTraceback
from tablevault_ext.launch.pool_desk import PoolDesk
from tablevault_ext.paths import VaultPaths

from ..support import events, wait_until
from .conftest import LAUNCHER, RecordingHost

# Tasks: imported by workers from this module. The tests of scripts and kernels are about functions that are not.


def wait_for_file(path: str, announce: str = "") -> int:
    if announce:
        Path(announce).write_text(str(os.getpid()))
    while not Path(path).exists():
        time.sleep(0.005)
    return os.getpid()


def fail(message: str) -> None:
    raise ValueError(message)


def die(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def die_once(marker: str) -> str:
    if not Path(marker).exists():
        Path(marker).touch()
        die()
    return "survived"


def append_and_die(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("x")
    die()


class NeedsTwo(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_awkward() -> None:
    raise NeedsTwo(1, 2)


def raise_base(kind: type[BaseException]) -> None:
    raise kind("from the task")


def give_lock() -> Any:
    return threading.Lock()


def add(x: int, y: int = 0) -> int:
    return x + y


def pid_of(_: object = None) -> int:
    return os.getpid()


@pytest.fixture
def pool(pools: PoolDesk) -> str:
    return pools.create_process_pool(2)


def status(pools: PoolDesk, task_id: str) -> str:
    found = pools.get_task_status(task_id)
    assert found is not None
    return str(found["status"])


def test_a_task_is_pending_then_running_then_done(pools: PoolDesk, tmp_path: Path) -> None:
    pool = pools.create_process_pool(1)
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    first = pools.submit_task(wait_for_file, str(gate), str(begun), executor_id=pool)
    second = pools.submit_task(add, 1, y=2, executor_id=pool)
    if not begun.exists():
        assert status(pools, first) in ("pending", "running")
    wait_until(begun.exists)
    assert (status(pools, first), status(pools, second)) == ("running", "pending")
    [listed] = pools.list_executors()
    assert (listed["type"], listed["pending"], listed["running"], len(listed["workers"])) == ("process", 1, 1, 1)
    gate.touch()
    assert pools.get_task_result(second, timeout=60) == 3
    assert (status(pools, first), status(pools, second)) == ("done", "done")
    found = pools.get_task_status(first)
    assert found is not None
    assert found["submitted_at"] <= found["started_at"] <= found["ended_at"]


def test_lambdas_closures_and_the_newest_definition_travel(pools: PoolDesk, pool: str) -> None:
    factor = 3
    assert pools.get_task_result(pools.submit_task(lambda x: x * factor, 5, executor_id=pool)) == 15
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): return g()\ndef g(): return 'old'", space)
    assert pools.get_task_result(pools.submit_task(space["f"], executor_id=pool)) == "old"
    exec("def g(): return 'new'", space)
    assert pools.get_task_result(pools.submit_task(space["f"], executor_id=pool)) == "new"


def test_an_error_keeps_its_type_and_the_workers_traceback(pools: PoolDesk, pool: str) -> None:
    task = pools.submit_task(fail, "no good", executor_id=pool)
    with pytest.raises(ValueError, match="no good") as caught:
        pools.get_task_result(task, timeout=60)
    assert isinstance(caught.value.__cause__, WorkerTraceback)
    assert "raise ValueError(message)" in str(caught.value.__cause__)
    assert status(pools, task) == "failed"
    found = pools.get_task_status(task)
    assert found is not None
    assert found["error"] == "ValueError: no good"


def test_an_error_that_cannot_travel_becomes_one_that_can(pools: PoolDesk, pool: str) -> None:
    with pytest.raises(TaskFailed, match="NeedsTwo: 1 and 2") as caught:
        pools.get_task_result(pools.submit_task(raise_awkward, executor_id=pool), timeout=60)
    assert "raise NeedsTwo(1, 2)" in str(caught.value.__cause__)
    assert pools.get_task_result(pools.submit_task(add, 1, executor_id=pool), timeout=60) == 1


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ExecutionStopped, GeneratorExit])
def test_a_base_exception_in_a_task_hangs_nobody(kind: type[BaseException], pools: PoolDesk, pool: str) -> None:
    with pytest.raises(kind):
        pools.get_task_result(pools.submit_task(raise_base, kind, executor_id=pool), timeout=60)
    with pytest.raises(kind):
        pools.map_tasks(raise_base, [kind] * 10, executor_id=pool, timeout=60)


def test_what_cannot_be_pickled_is_a_clear_error(pools: PoolDesk, pool: str) -> None:
    with pytest.raises(NotPicklable, match="inside the task"):
        pools.submit_task(add, threading.Lock(), executor_id=pool)
    with pytest.raises(NotPicklable, match="add"):
        pools.map_tasks(add, [threading.Lock()], executor_id=pool)
    task = pools.submit_task(give_lock, executor_id=pool)
    with pytest.raises(NotPicklable, match="result cannot be sent back"):
        pools.get_task_result(task, timeout=60)
    assert status(pools, task) == "failed"
    with pytest.raises(NotPicklable, match="result"):
        pools.map_tasks(lambda x: give_lock(), [1], executor_id=pool)


def test_a_killed_worker_loses_only_what_ran_on_it(pools: PoolDesk, pool: str, tmp_path: Path) -> None:
    gate, begun, doomed = (tmp_path / name for name in ("gate", "begun", "doomed"))
    kept = pools.submit_task(wait_for_file, str(gate), str(begun), executor_id=pool)
    lost = pools.submit_task(wait_for_file, str(tmp_path / "never"), str(doomed), executor_id=pool)
    waiting = [pools.submit_task(add, number, executor_id=pool) for number in range(20)]
    pid = int(wait_until(lambda: doomed.exists() and doomed.read_text()))
    keeper = int(wait_until(lambda: begun.exists() and begun.read_text()))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TaskLost, match=rf"worker {pid} ended with SIGKILL"):
        pools.get_task_result(lost, timeout=60)
    assert status(pools, lost) == "lost"
    assert [pools.get_task_result(task, timeout=60) for task in waiting] == list(range(20))
    gate.touch()
    assert pools.get_task_result(kept, timeout=60) == keeper, "it went on in the worker where it was"
    assert len(pools.list_executors()[0]["workers"]) == 2, "the pool has healed"


@pytest.mark.parametrize("end", [die, sys.exit, os._exit, os.abort])
def test_however_a_worker_ends_the_pool_goes_on(end: Any, pools: PoolDesk) -> None:
    pool = pools.create_process_pool(1)
    arguments = () if end in (die, os.abort) else (3,)
    task = pools.submit_task(end, *arguments, executor_id=pool)
    after = pools.submit_task(add, 1, executor_id=pool)
    with pytest.raises((TaskLost, SystemExit)):
        pools.get_task_result(task, timeout=60)
    assert pools.get_task_result(after, timeout=60) == 1


def test_the_death_of_an_idle_worker_costs_nothing(pools: PoolDesk) -> None:
    pool = pools.create_process_pool(1)
    for _ in range(3):
        worker = pools.get_task_result(pools.submit_task(pid_of, executor_id=pool), timeout=60)
        os.kill(worker, signal.SIGKILL)
        assert pools.get_task_result(pools.submit_task(add, 1, executor_id=pool), timeout=60) == 1


def test_a_lost_task_is_run_again_if_it_is_idempotent(pools: PoolDesk, pool: str, tmp_path: Path) -> None:
    task = pools.submit_task(die_once, str(tmp_path / "died"), executor_id=pool, idempotent=True)
    assert pools.get_task_result(task, timeout=60) == "survived"
    found = pools.get_task_status(task)
    assert found is not None
    assert found["attempt"] == 2
    counter = tmp_path / "count"
    hopeless = pools.submit_task(append_and_die, str(counter), executor_id=pool, idempotent=True)
    with pytest.raises(TaskLost):
        pools.get_task_result(hopeless, timeout=60)
    assert counter.read_text() == "xxxx", "tried once, and three times again"


def test_workers_that_die_before_they_begin_are_not_tried_for_ever(
    pools: PoolDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pools.create_process_pool(1)
    monkeypatch.setattr(spawn, "_python_exe", b"/bin/false")
    task = pools.submit_task(add, 1, executor_id=pool)
    with pytest.raises(LaunchError, match="workers in a row"):
        pools.get_task_result(task, timeout=60)
    monkeypatch.undo()
    assert pools.get_task_result(pools.submit_task(add, 1, executor_id=pool), timeout=60) == 1


def test_workers_are_deaf_to_ctrl_c(pools: PoolDesk, pool: str, tmp_path: Path) -> None:
    task = pools.submit_task(wait_for_file, str(tmp_path / "gate"), str(tmp_path / "begun"), executor_id=pool)
    wait_until((tmp_path / "begun").exists)
    for worker in pools.worker_identities():
        os.kill(worker.pid, signal.SIGINT)
    (tmp_path / "gate").touch()
    assert pools.get_task_result(task, timeout=60) > 0


def test_cancel(pools: PoolDesk, tmp_path: Path) -> None:
    pool = pools.create_process_pool(1)
    running = pools.submit_task(wait_for_file, str(tmp_path / "gate"), str(tmp_path / "begun"), executor_id=pool)
    waiting = pools.submit_task(add, 1, executor_id=pool)
    after = pools.submit_task(add, 2, executor_id=pool)
    wait_until((tmp_path / "begun").exists)
    assert pools.cancel_task(waiting) is True
    assert pools.cancel_task(waiting) is False
    assert pools.cancel_task(running) is False
    assert pools.cancel_task("nobody") is False
    assert status(pools, waiting) == "cancelled"
    with pytest.raises(TaskCancelled):
        pools.get_task_result(waiting)
    (tmp_path / "gate").touch()
    assert pools.get_task_result(after, timeout=60) == 2
    assert pools.cancel_task(after) is False


def test_a_timeout_leaves_the_task_running(pools: PoolDesk, pool: str, tmp_path: Path) -> None:
    task = pools.submit_task(wait_for_file, str(tmp_path / "gate"), executor_id=pool)
    with pytest.raises(TaskTimeout, match="goes on"):
        pools.get_task_result(task, timeout=0.05)
    (tmp_path / "gate").touch()
    assert pools.get_task_result(task, timeout=60) > 0


def test_two_thousand_quick_submits(pools: PoolDesk, pool: str) -> None:
    tasks = [pools.submit_task(add, number, executor_id=pool) for number in range(2000)]
    assert [pools.get_task_result(task, timeout=60) for task in tasks] == list(range(2000))


def test_callbacks_may_call_everything_that_deadlocked_pyprocessor(pools: PoolDesk, pool: str) -> None:
    done: list[object] = []

    def callback(task: Any) -> None:
        again = pools.submit_task(add, 40, 2, executor_id=pool)
        done.append(pools.get_task_status(task.task_id)["status"])  # type: ignore[index]
        done.append(pools.get_task_result(again, timeout=60))
        done.append(pools.cancel_task(again))
        done.append(pools.map_tasks(add, [1, 2], executor_id=pool))
        done.append(len(pools.list_executors()))
        done.append(pools.shutdown_executor(pool))

    task = pools.get_task(pools.submit_task(add, 1, executor_id=pool))
    assert task is not None
    task.add_done_callback(callback)
    wait_until(lambda: len(done) == 6, "the callback came to its end")
    assert done == ["done", 42, False, [1, 2], 1, True]


def test_threads_submit_while_another_shuts_the_pool_down(pools: PoolDesk) -> None:
    for _ in range(3):
        pool = pools.create_process_pool(2)
        pools.get_task_result(pools.submit_task(add, 1, executor_id=pool))
        taken: list[str] = []

        def submit(pool: str = pool, taken: list[str] = taken) -> None:
            while True:
                try:
                    taken.append(pools.submit_task(add, 1, executor_id=pool))
                except ExecutorClosed:
                    return
                time.sleep(0.001)  # or, on a busy machine, far more is taken in than is soon done

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda taken=taken: len(taken) > 20)
        assert pools.shutdown_executor(pool) is True
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert {status(pools, task) for task in taken} == {"done"}, "what was taken in was done"


def test_shutdown_finishes_what_was_taken_in_and_results_outlive_it(pools: PoolDesk, pool: str) -> None:
    tasks = [pools.submit_task(add, number, executor_id=pool) for number in range(10)]
    assert pools.shutdown_executor(pool) is True
    assert pools.shutdown_executor(pool) is False
    assert pools.list_executors() == []
    assert [pools.get_task_result(task, timeout=0) for task in tasks] == list(range(10))
    assert [status(pools, task) for task in tasks] == ["done"] * 10
    with pytest.raises(ExecutorClosed, match="create_process_pool"):
        pools.submit_task(add, 1, executor_id=pool)


def test_shutdown_can_cancel_and_need_not_wait(pools: PoolDesk, tmp_path: Path) -> None:
    pool = pools.create_process_pool(1)
    running = pools.submit_task(wait_for_file, str(tmp_path / "gate"), str(tmp_path / "begun"), executor_id=pool)
    waiting = pools.submit_task(add, 1, executor_id=pool)
    wait_until((tmp_path / "begun").exists)
    workers = pools.worker_identities()
    assert pools.shutdown_executor(pool, wait=False, cancel_futures=True) is True
    assert (status(pools, running), status(pools, waiting)) == ("running", "cancelled")
    with pytest.raises(ExecutorClosed):
        pools.submit_task(add, 1, executor_id=pool)
    (tmp_path / "gate").touch()
    assert pools.get_task_result(running, timeout=60) == workers[0].pid
    wait_until(lambda: workers[0].presence() == "gone", "the worker has ended by itself")


def test_default_pools_are_made_again_after_a_shutdown(pools: PoolDesk) -> None:
    assert pools.get_task_result(pools.submit_task(add, 1), timeout=60) == 1
    default = pools.get_default_process_pool()
    assert pools.get_default_process_pool() == default
    pools.shutdown_executor(default)
    assert pools.get_task_result(pools.submit_task(add, 2), timeout=60) == 2
    assert pools.get_default_thread_pool() != pools.get_default_process_pool()


def test_a_thread_pool(pools: PoolDesk) -> None:
    pool = pools.create_thread_pool(2)
    gate = threading.Event()
    first = pools.submit_task(lambda: gate.wait(120) and threading.get_ident(), executor_id=pool)
    wait_until(lambda: status(pools, first) == "running")
    gate.set()
    assert pools.get_task_result(first, timeout=60) != threading.get_ident()
    with pytest.raises(ValueError, match="bad"):
        pools.get_task_result(pools.submit_task(fail, "bad", executor_id=pool), timeout=60)
    assert isinstance(pools.get_task_result(pools.submit_task(give_lock, executor_id=pool)), type(threading.Lock()))
    assert pools.map_tasks(add, range(5), executor_id=pool) == [0, 1, 2, 3, 4]
    tasks = [pools.submit_task(add, number, executor_id=pool) for number in range(2000)]
    assert [pools.get_task_result(task, timeout=60) for task in tasks] == list(range(2000))
    assert pools.shutdown_executor(pool) is True
    assert pools.get_task_result(tasks[0]) == 0


async def test_handles_are_futures_and_awaitable(pools: PoolDesk) -> None:
    with pools.process_pool(2) as pool:
        tasks = [pool.submit(add, number) for number in range(5)]
        assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
        assert {task.result() for task in concurrent.futures.as_completed(tasks)} == {0, 1, 2, 3, 4}
        assert concurrent.futures.wait(tasks).not_done == set()
        assert pool.map(add, [1, 2], [3, 4]) == [4, 6]
        with pytest.raises(ValueError, match="bad"):
            await pool.submit(fail, "bad")
        assert await pools.aget_task_result(pools.submit_task(add, 7, executor_id=pool.executor_id)) == 7
    with pytest.raises(ExecutorClosed):
        pool.submit(add, 1)


def test_waiting_passes_checkpoints_and_a_stop_gets_out_at_once(
    pools: PoolDesk, pool: str, host: RecordingHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[bool] = []

    def pass_and_open() -> None:
        passed.append(True)
        if len(passed) == 3:
            (tmp_path / "opened").touch()

    with monkeypatch.context() as patch:
        patch.setattr(host, "checkpoint", pass_and_open)
        task = pools.submit_task(wait_for_file, str(tmp_path / "opened"), executor_id=pool)
        assert pools.get_task_result(task, timeout=60) > 0, "it ends at the third checkpoint of this wait"
    task = pools.submit_task(wait_for_file, str(tmp_path / "gate"), executor_id=pool)
    host.raises = ExecutionStopped("train")
    for wait in (
        lambda: pools.get_task_result(task),
        lambda: pools.map_tasks(wait_for_file, [str(tmp_path / "gate")] * 4, executor_id=pool),
        lambda: pools.shutdown_executor(pool),
    ):
        with pytest.raises(ExecutionStopped):
            wait()
    host.raises = None
    (tmp_path / "gate").touch()
    assert pools.get_task_result(task, timeout=60) > 0


def test_the_vault_has_a_row_for_each_task(pools: PoolDesk, pool: str, vault: VaultPaths, tmp_path: Path) -> None:
    done = pools.submit_task(add, 1, executor_id=pool)
    failed = pools.submit_task(fail, "no good", executor_id=pool)
    lost = pools.submit_task(die, executor_id=pool)
    for task in (done, failed, lost):
        wait_until(lambda task=task: status(pools, task) in ("done", "failed", "lost"))
    slow = pools.submit_task(wait_for_file, str(tmp_path / "gate"), executor_id=pool)

    def rows() -> dict[str, dict[str, Any]]:
        return {event["id"]: event for event in events(vault, LAUNCHER, "task")}

    wait_until(lambda: rows().get(slow, {}).get("status") == "running", "what takes long is seen to run")
    wait_until(lambda: rows()[lost]["status"] == "lost")
    assert (rows()[done]["status"], rows()[done]["name"], rows()[done]["cell_seq"]) == ("done", "add", 3)
    assert rows()[done]["submitted_at"] <= rows()[done]["started_at"] <= rows()[done]["ended_at"]
    assert rows()[failed]["error"] == "ValueError: no good"
    assert "raise ValueError(message)" in rows()[failed]["traceback"]
    assert vault.wrapper_journal(rows()[lost]["worker"]).exists()
    (tmp_path / "gate").touch()
    pools.map_tasks(add, range(10), chunksize=5, executor_id=pool)

    def chunks() -> list[tuple[int, str]]:
        return [(row["items"], row["status"]) for row in rows().values() if row.get("items")]

    wait_until(lambda: chunks() == [(5, "done"), (5, "done")], "a row a chunk")


def test_workers_are_processes_of_the_vault(pools: PoolDesk, vault: VaultPaths, host: RecordingHost) -> None:
    from tablevault_ext.journal.names import resolve
    from tablevault_ext.journal.process_state import read_process

    pool = pools.create_process_pool(1, "mine")
    pid = pools.get_task_result(pools.submit_task(pid_of, executor_id=pool), timeout=60)
    worker = read_process(vault, resolve(vault, "mine.worker"))
    assert (worker.pid, worker.kind, worker.status, worker.parent_id) == (pid, "worker", "running", LAUNCHER)
    assert worker.identity == Identity.of(pid)
    pools.shutdown_executor(pool)
    assert read_process(vault, worker.process_id).status == "finished", "its ending is on record"
    pool = pools.create_process_pool(1, "mine")
    os.kill(pools.get_task_result(pools.submit_task(pid_of, executor_id=pool), timeout=60), signal.SIGKILL)
    wait_until(lambda: read_process(vault, resolve(vault, "mine.worker#2")).exit_signal == 9, "so is that of a kill")
    pools.get_task_result(pools.submit_task(pid_of, executor_id=pools.create_process_pool(1, "other")), timeout=60)
    host.haste = True
    pools.end_pools()
    assert read_process(vault, resolve(vault, "other.worker")).status == "stopped", "before this process ends"


def test_bad_arguments(pools: PoolDesk, pool: str) -> None:
    for bad in (0, -1, 1.5, "2", True):
        with pytest.raises(BadArgument, match="max_workers"):
            pools.create_process_pool(bad)  # type: ignore[arg-type]
    with pytest.raises(UnknownId, match="create_process_pool"):
        pools.submit_task(add, 1, executor_id="nobody")
    with pytest.raises(UnknownId):
        pools.shutdown_executor("nobody")
    with pytest.raises(UnknownId, match="submit_task"):
        pools.get_task_result("nobody")
    assert pools.get_task_status("nobody") is None
    with pytest.raises(BadArgument, match="function"):
        pools.submit_task(add(1, 2), executor_id=pool)  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="0 or more"):
        pools.get_task_result(pools.submit_task(add, 1, executor_id=pool), timeout=-1)
    with pytest.raises(BadArgument, match="already"):
        pools.create_process_pool(1, pool)
    with pytest.raises(BadArgument, match="iterable"):
        pools.map_tasks(add)
    with pytest.raises(BadArgument, match="chunksize"):
        pools.map_tasks(add, [1], chunksize=0)
    pools.submit_task(add, 1, executor_id=pool, task_id="one")
    with pytest.raises(BadArgument, match="already"):
        pools.submit_task(add, 1, executor_id=pool, task_id="one")
