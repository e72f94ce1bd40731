"""Locks between processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tablevault_ext.errors import BadArgument, ExecutionStopped
from tablevault_ext.launch.errors import LockTimeout, NotLocked, UnknownId
from tablevault_ext.launch.locks import LockDesk

from ..support import running_script, wait_until
from .conftest import RecordingHost

CHILD = "from tablevault_ext.process_manager import *\n"


def test_a_lock_excludes_everybody_else(locks: LockDesk, tmp_path: Path) -> None:
    lock = locks.create_lock("mine")
    assert locks.acquire_lock(lock, timeout=60) is True
    assert locks.acquire_lock(lock, timeout=0.05) is False, "it is not re-entrant"
    assert locks.acquire_lock(lock, block=False) is False
    with running_script(tmp_path, CHILD + "print(acquire_lock('mine', timeout=0.05))") as child:
        assert child.communicate(timeout=120)[0] == "False\n"
    locks.release_lock(lock)
    with running_script(tmp_path, CHILD + "print(acquire_lock('mine', timeout=60))") as child:
        assert child.communicate(timeout=120)[0] == "True\n"


def test_a_context_holds_and_frees(locks: LockDesk) -> None:
    lock = locks.create_lock()
    with (
        locks.lock_context(lock, timeout=60),
        pytest.raises(LockTimeout, match=r"0\.05 s"),
        locks.lock_context(lock, 0.05),
    ):
        raise AssertionError("two hold it")
    with pytest.raises(ZeroDivisionError), locks.lock_context(lock):
        1 / 0
    assert locks.acquire_lock(lock, timeout=0) is True


def test_threads_take_turns_and_any_may_release(locks: LockDesk) -> None:
    lock = locks.create_lock()
    count = 0

    def work() -> None:
        nonlocal count
        for _ in range(10):
            with locks.lock_context(lock):
                seen = count
                time.sleep(0.0001)
                count = seen + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert count == 40
    locks.acquire_lock(lock)
    releasing = threading.Thread(target=locks.release_lock, args=(lock,))
    releasing.start()
    releasing.join()
    assert locks.acquire_lock(lock, timeout=0) is True


@pytest.mark.parametrize("child", ["", "fork", "subprocess"])
def test_the_death_of_its_holder_frees_it_even_if_its_children_live(
    child: str, locks: LockDesk, tmp_path: Path
) -> None:
    lock = locks.create_lock("mine")
    start = {
        "": "child = 0",
        "fork": "child = os.fork()\n    if child == 0: time.sleep(600)",
        "subprocess": "child = subprocess.Popen(['sleep', '600']).pid",
    }[child]
    code = f"""{CHILD}
import os, subprocess, time
with lock_context("mine"):
    {start}
    print(child, flush=True)
    time.sleep(600)
"""
    with running_script(tmp_path, code) as holder:
        pid = int(holder.stdout.readline())
        assert locks.acquire_lock(lock, timeout=0.05) is False
        holder.stdout.close()
        holder.stdout = None
        holder.stderr.close()
        holder.stderr = None
        holder.kill()
        holder.wait()
        try:
            assert locks.acquire_lock(lock, timeout=60) is True
        finally:
            if pid:
                os.kill(pid, signal.SIGKILL)


def test_a_forked_child_does_not_hold_and_does_not_free_its_parents_lock(locks: LockDesk) -> None:
    lock = locks.create_lock()
    locks.acquire_lock(lock)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            locks.release_lock(lock)
        except NotLocked:
            os.write(write, b"not held")
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 100) == b"not held"
    os.close(read)
    os.waitpid(child, 0)
    assert locks.acquire_lock(lock, timeout=0.05) is False


def test_who_waits_is_told_when_the_lock_is_deleted(locks: LockDesk, host: RecordingHost) -> None:
    lock = locks.create_lock()
    locks.acquire_lock(lock)
    told: list[str] = []

    def wait() -> None:
        try:
            locks.acquire_lock(lock)
        except UnknownId as error:
            told.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: host.checkpoints > 3, "it waits")
    assert locks.delete_lock(lock) is True
    wait_until(lambda: told, "the waiter was told")
    locks.release_lock(lock)  # whoever holds it keeps it until then
    assert locks.create_lock(lock) == lock
    assert locks.acquire_lock(lock, timeout=0) is True


def test_waiting_passes_checkpoints(locks: LockDesk, host: RecordingHost) -> None:
    lock = locks.create_lock()
    locks.acquire_lock(lock)
    host.raises = ExecutionStopped("train")
    with pytest.raises(ExecutionStopped):
        locks.acquire_lock(lock)


def test_bad_arguments(locks: LockDesk) -> None:
    lock = locks.create_lock("日本/..\n'name'")
    with pytest.raises(BadArgument, match="already"):
        locks.create_lock(lock)
    with pytest.raises(UnknownId, match="create_lock"):
        locks.acquire_lock("nobody")
    with pytest.raises(UnknownId):
        locks.release_lock("nobody")
    with pytest.raises(UnknownId):
        locks.delete_lock("nobody")
    with pytest.raises(UnknownId), locks.lock_context("nobody"):
        raise AssertionError("there is no such lock")
    with pytest.raises(NotLocked, match="does not hold"):
        locks.release_lock(lock)
    with pytest.raises(BadArgument, match="0 or more"):
        locks.acquire_lock(lock, timeout=-1)
