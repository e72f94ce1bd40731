"""Launching and coordinating processes: every function of PyProcessor's process manager, recorded in the vault.

A script or notebook that used ``pyprocessor.utils.process_manager`` changes its import line only. Without a call
of ``Vault()`` the default vault is used; the first command or pool begins to record this process.

>>> from tablevault_ext.process_manager import run_process
>>> run_process(["echo", "hello"])["returncode"]
0
"""

from __future__ import annotations

import atexit
import inspect
import logging
import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from .identity import Identity
from .launch.arguments import normalize_path
from .launch.command_desk import CommandDesk
from .launch.commands import Command
from .launch.locks import LockDesk
from .launch.pool_desk import PoolDesk, PoolHandle
from .launch.recorder import Host
from .launch.shared import SharedDesk
from .launch.tasks import Task, TaskStatus
from .paths import VaultPaths, open_vault
from .recording.origin import running_shell

if TYPE_CHECKING:
    from .journal.writer import JournalWriter
    from .session import Session

log = logging.getLogger("tablevault_ext")

P = ParamSpec("P")
R = TypeVar("R")


class ProcessManager(CommandDesk, PoolDesk, SharedDesk, LockDesk):
    """Everything that this process launches and shares. There is one a process: see `get_process_manager`."""

    _present: ProcessManager | None = None
    _making = threading.Lock()

    def __new__(cls) -> ProcessManager:
        with cls._making:
            if cls._present is None:
                cls._present = super().__new__(cls)
                cls._present._open(_ThisProcess())
            return cls._present

    def __init__(self) -> None:
        """Nothing: the one object is made once."""

    def _open(self, host: Host) -> None:
        for desk in (CommandDesk, PoolDesk, SharedDesk, LockDesk):
            desk.__init__(self, host)
        atexit.register(self.end_commands)
        # Before concurrent.futures' own hook, which forbids new work and then waits for what runs.
        register = getattr(threading, "_register_atexit", atexit.register)
        try:
            register(self.end_pools)
        except RuntimeError:  # the interpreter is going down already
            atexit.register(self.end_pools)
        self._leave_with_kernel()

    def _leave_with_kernel(self) -> None:
        """End pools and commands when a kernel is told to shut down.

        Its exit would come too late: before that ipykernel ends its children itself, and waits for those that a pool
        meanwhile starts in the place of the dead.
        """
        kernel = getattr(running_shell(), "kernel", None)
        if kernel is None:
            return
        original = kernel.do_shutdown

        @wraps(original)
        def do_shutdown(*args: Any, **kwargs: Any) -> Any:
            try:
                self.end_pools()
                self.end_commands()
            except Exception:
                log.exception("what this kernel has launched could not be ended")
            return original(*args, **kwargs)

        kernel.do_shutdown = do_shutdown


def get_process_manager() -> ProcessManager:
    """The process manager of this process.

    >>> get_process_manager() is get_process_manager()
    True
    """
    return ProcessManager._present or ProcessManager()


def _launch_for_oneself_after_fork() -> None:
    ProcessManager._present, ProcessManager._making = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_launch_for_oneself_after_fork)


class _ThisProcess:
    """This process, as the launching room sees it: its record, its checkpoints, its tree control."""

    def __init__(self) -> None:
        self._default: VaultPaths | None = None

    @property
    def paths(self) -> VaultPaths:
        session = _session()
        if session is not None:
            return session.process.paths
        if self._default is None:
            self._default = open_vault()
        return self._default

    def begin(self) -> None:
        if _session() is None:
            from .vault import Vault

            Vault()

    def parent(self) -> tuple[str, int | None] | None:
        session = _session()
        return None if session is None else (session.registered().process.process_id, session.current_seq())

    def user(self) -> str:
        from .session import default_user

        return default_user()

    def journal(self) -> JournalWriter | None:
        session = _session()
        return None if session is None else session.registered().process.journal

    def checkpoint(self) -> None:
        session = _session()
        if session is not None and session.checkpoints is not None:
            session.checkpoints.gate()

    def in_haste(self) -> bool:
        session = _session()
        if session is None:
            return False
        return session.shell is not None or (session.checkpoints is not None and session.checkpoints.stopping)

    def end_tree(self, root: Identity, process_id: str, grace: float) -> None:
        from .control.now import marks_of
        from .control.tree import stop_now

        stop_now(root, marks_of(self.paths, process_id), grace=grace)


def _session() -> Session | None:
    import sys

    # Sharing alone records nothing, and a pool worker that only uses a queue need not import all that.
    module = sys.modules.get(f"{__package__}.session")
    return module.current_session() if module is not None else None


def _function(method: Callable[Concatenate[ProcessManager, P], R]) -> Callable[P, R]:
    """A method of the process manager as a function of this module."""

    @wraps(method)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(get_process_manager(), *args, **kwargs)

    signature = inspect.signature(method)
    without_self = list(signature.parameters.values())[1:]
    function.__signature__ = signature.replace(parameters=without_self)  # type: ignore[attr-defined]
    # By this name it travels to workers; by the method's it would arrive there as the method.
    function.__module__, function.__qualname__ = __name__, method.__name__
    return function


run_process = _function(ProcessManager.run_process)
run_process_async = _function(ProcessManager.run_process_async)
start_process = _function(ProcessManager.start_process)
arun_process = _function(ProcessManager.arun_process)
get_process = _function(ProcessManager.get_process)
get_process_status = _function(ProcessManager.get_process_status)
terminate_process = _function(ProcessManager.terminate_process)
terminate_all_processes = _function(ProcessManager.terminate_all_processes)
list_processes = _function(ProcessManager.list_processes)
cleanup_processes = _function(ProcessManager.cleanup_processes)

create_process_pool = _function(ProcessManager.create_process_pool)
create_thread_pool = _function(ProcessManager.create_thread_pool)
get_default_process_pool = _function(ProcessManager.get_default_process_pool)
get_default_thread_pool = _function(ProcessManager.get_default_thread_pool)
process_pool = _function(ProcessManager.process_pool)
thread_pool = _function(ProcessManager.thread_pool)
shutdown_executor = _function(ProcessManager.shutdown_executor)
list_executors = _function(ProcessManager.list_executors)
submit_task = _function(ProcessManager.submit_task)
get_task = _function(ProcessManager.get_task)
get_task_result = _function(ProcessManager.get_task_result)
aget_task_result = _function(ProcessManager.aget_task_result)
get_task_status = _function(ProcessManager.get_task_status)
cancel_task = _function(ProcessManager.cancel_task)
map_tasks = _function(ProcessManager.map_tasks)

create_queue = _function(ProcessManager.create_queue)
put_queue_item = _function(ProcessManager.put_queue_item)
get_queue_item = _function(ProcessManager.get_queue_item)
aput_queue_item = _function(ProcessManager.aput_queue_item)
aget_queue_item = _function(ProcessManager.aget_queue_item)
get_queue_size = _function(ProcessManager.get_queue_size)
is_queue_empty = _function(ProcessManager.is_queue_empty)
is_queue_full = _function(ProcessManager.is_queue_full)
clear_queue = _function(ProcessManager.clear_queue)
delete_queue = _function(ProcessManager.delete_queue)
list_queues = _function(ProcessManager.list_queues)
create_shared_value = _function(ProcessManager.create_shared_value)
get_shared_value = _function(ProcessManager.get_shared_value)
set_shared_value = _function(ProcessManager.set_shared_value)
delete_shared_value = _function(ProcessManager.delete_shared_value)
create_event = _function(ProcessManager.create_event)
set_event = _function(ProcessManager.set_event)
clear_event = _function(ProcessManager.clear_event)
is_event_set = _function(ProcessManager.is_event_set)
wait_for_event = _function(ProcessManager.wait_for_event)
await_for_event = _function(ProcessManager.await_for_event)
delete_event = _function(ProcessManager.delete_event)
create_lock = _function(ProcessManager.create_lock)
acquire_lock = _function(ProcessManager.acquire_lock)
release_lock = _function(ProcessManager.release_lock)
lock_context = _function(ProcessManager.lock_context)
delete_lock = _function(ProcessManager.delete_lock)

__all__ = [
    "Command",
    "PoolHandle",
    "ProcessManager",
    "Task",
    "TaskStatus",
    "acquire_lock",
    "aget_queue_item",
    "aget_task_result",
    "aput_queue_item",
    "arun_process",
    "await_for_event",
    "cancel_task",
    "cleanup_processes",
    "clear_event",
    "clear_queue",
    "create_event",
    "create_lock",
    "create_process_pool",
    "create_queue",
    "create_shared_value",
    "create_thread_pool",
    "delete_event",
    "delete_lock",
    "delete_queue",
    "delete_shared_value",
    "get_default_process_pool",
    "get_default_thread_pool",
    "get_process",
    "get_process_manager",
    "get_process_status",
    "get_queue_item",
    "get_queue_size",
    "get_shared_value",
    "get_task",
    "get_task_result",
    "get_task_status",
    "is_event_set",
    "is_queue_empty",
    "is_queue_full",
    "list_executors",
    "list_processes",
    "list_queues",
    "lock_context",
    "map_tasks",
    "normalize_path",
    "process_pool",
    "put_queue_item",
    "release_lock",
    "run_process",
    "run_process_async",
    "set_event",
    "set_shared_value",
    "shutdown_executor",
    "start_process",
    "submit_task",
    "terminate_all_processes",
    "terminate_process",
    "thread_pool",
    "wait_for_event",
]
