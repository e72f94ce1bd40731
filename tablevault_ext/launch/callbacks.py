"""Where the callbacks of users run: in a thread of their own.

An engine's threads must not: a callback that waits for another task, shuts its pool down or only takes long
would hold up what it waits for.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger("tablevault_ext")

_calls: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
_thread: threading.Thread | None = None
_lock = threading.Lock()


def call_soon(function: Callable[..., Any], *args: Any) -> None:
    """Call ``function(*args)`` in the callbacks' thread; an error is logged."""
    global _thread
    _calls.put((function, args))
    if _thread is None:
        with _lock:
            if _thread is None:
                _thread = threading.Thread(target=_run, name="tablevault-callbacks", daemon=True)
                _thread.start()


def _run() -> None:
    while True:
        function, args = _calls.get()
        try:
            function(*args)
        except Exception:
            log.exception("a callback failed: %r", getattr(function, "__qualname__", type(function).__name__))
        finally:
            del function, args


def _forget_after_fork() -> None:
    global _calls, _thread, _lock
    _calls, _thread, _lock = queue.SimpleQueue(), None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
