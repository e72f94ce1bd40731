"""What can go wrong with what was launched; the common root is `tablevault_ext.errors.VaultError`."""

from __future__ import annotations

import queue
from concurrent.futures import CancelledError

from ..errors import VaultError


class LaunchError(VaultError):
    """A command or a pool could not be started; nothing is left of it."""


class CommandNotFound(LaunchError, FileNotFoundError):
    """There is no such program, or its working directory is missing; nothing was started."""


class UnknownId(VaultError, LookupError):
    """No pool, task, queue, value, event or lock has that id or name; deleted ones count as unknown."""


class ExecutorClosed(VaultError, RuntimeError):
    """The pool was shut down and takes no more tasks; create another one."""


class TaskFailed(VaultError):
    """The task raised an exception that cannot be brought here; the message and the worker's traceback could."""


class TaskLost(VaultError):
    """The worker that ran the task is gone; how far the task came is not known."""


class TaskCancelled(VaultError, CancelledError):
    """The task was cancelled before it started."""


class TaskTimeout(VaultError, TimeoutError):
    """The result was not there in time; the task goes on."""


class NotPicklable(VaultError, TypeError):
    """Something cannot travel between processes: a function's surroundings, an argument, a result, an item."""


class QueueEmpty(VaultError, queue.Empty):
    """Nothing was in the queue, or nothing came in time."""


class QueueFull(VaultError, queue.Full):
    """The queue was full, or stayed full for too long; the item was not put."""


class LockTimeout(VaultError, TimeoutError):
    """The lock was not free in time."""


class NotLocked(VaultError, RuntimeError):
    """This process does not hold the lock that it wanted to release."""


class SharedStateLost(VaultError, ConnectionError):
    """The vault's coordination server died, and with it the queues, values and events that it held."""
