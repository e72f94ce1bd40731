"""Starting pool workers: spawned, deaf to Ctrl-C from their first instruction, without the user's main module."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from multiprocessing import resource_tracker, spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

_here = threading.local()


class WorkerProcess(SpawnProcess):
    """A spawned process that never imports the parent's ``__main__``."""

    def start(self) -> None:
        with _interrupts_blocked():
            _here.without_main = True
            try:
                super().start()
            finally:
                _here.without_main = False


class WorkerContext(SpawnContext):
    """The ``mp_context`` of one worker's executor; remembers the process that was started."""

    def __init__(self) -> None:
        super().__init__()
        _teach_spawn()
        _start_tracker_apart()  # before a queue's semaphores would start it
        self.process: WorkerProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> WorkerProcess:  # type: ignore[override]
        self.process = WorkerProcess(*args, **kwargs)
        return self.process

    def __reduce__(self) -> tuple[Callable[[], SpawnContext], tuple[()]]:
        return SpawnContext, ()  # queues take their context along into the worker, which starts nothing with it


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    # A kernel's interrupt goes to its whole process group. A mask is inherited by exec, so the new process
    # cannot be hit before its initializer has switched SIGINT off.
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def _teach_spawn() -> None:
    """Let multiprocessing leave the main module out where we ask for it.

    It offers no other way: each of its platforms calls `spawn.get_preparation_data` by that name. A script
    without a guard, imported by each worker, would run itself again there.
    """
    original = spawn.get_preparation_data

    @wraps(original)
    def get_preparation_data(name: str) -> dict[str, Any]:
        data: dict[str, Any] = original(name)
        if getattr(_here, "without_main", False):
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    spawn.get_preparation_data = get_preparation_data


@cache
def _start_tracker_apart() -> None:
    """Start multiprocessing's resource tracker in a process group of its own, if it does not run yet.

    At its shutdown ipykernel ends what is in its own group, and waits half a minute for what is deaf to SIGTERM, as
    the tracker is. It ends by itself when the last process that uses it has.
    """
    tracker: Any = resource_tracker._resource_tracker
    if not hasattr(os, "posix_spawn") or getattr(tracker, "_fd", None) is not None:
        return
    read, write = os.pipe()
    here = 3 if read != 3 else 4
    code = f"from multiprocessing.resource_tracker import main;main({here})"
    try:
        tracker._pid = os.posix_spawn(
            spawn.get_executable(),
            [spawn.get_executable(), "-c", code],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, read, here)],
            setpgroup=0,
        )
        tracker._fd = write
    except OSError:
        os.close(write)  # then multiprocessing starts its own
    finally:
        os.close(read)
