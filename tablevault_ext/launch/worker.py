"""The worker's side of a process pool."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

from .payload import Reply, pack_data, pack_error, pack_value, unpack

_slot: Any = [0, 0]
_functions: OrderedDict[bytes, Any] = OrderedDict()
_FUNCTIONS = 16


def prepare(slot: Any, environment: dict[str, str]) -> None:
    """The initializer: deaf to Ctrl-C, which goes to a kernel's whole group; gone when the parent is gone.

    Args:
        slot: two shared 64-bit numbers: the task that runs here, and since when (µs since the epoch).
        environment: who this worker is, for a record of its own.
    """
    global _slot
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _slot = slot
    os.environ.update(environment)
    threading.Thread(target=_leave_with_parent, name="tablevault-parent", daemon=True).start()


def run_call(number: int, call: bytes) -> Reply:
    """Run one task. The slot is written before anything of the user's is touched: unpickling runs user code, too."""
    began = _begin(number)
    try:
        function, args, kwargs = unpack(call)
        kind, content = pack_value(function(*args, **kwargs))
    except BaseException as error:
        kind, content = pack_error(error)
    return kind, content, began, _now(), None


def run_chunk(number: int, function: bytes, items: bytes, seconds: float) -> Reply:
    """Call one function with each of many arguments; see `call_for_a_while`."""
    began = _begin(number)
    count = 0
    try:
        values = call_for_a_while(_function(function), unpack(items), seconds)
        count = len(values)
        kind, content = "packed", pack_data(values, "a result")
    except BaseException as error:
        kind, content = pack_error(error)
    return kind, content, began, _now(), count or None


def call_for_a_while(function: Callable[..., Any], items: list[tuple[Any, ...]], seconds: float) -> list[Any]:
    """Call a function with one item after another until the time is over; the results up to there, at least one.

    The clock is looked at after 1, 2, 4, … items, and more often when they are slow: quick ones pay next to nothing.
    """
    if math.isinf(seconds):
        return [function(*item) for item in items]
    values: list[Any] = []
    end = time.perf_counter() + seconds
    block = 1
    while len(values) < len(items):
        began = time.perf_counter()
        values += [function(*item) for item in items[len(values) : len(values) + block]]
        now = time.perf_counter()
        if now >= end:
            break
        block = max(1, min(2 * block, int(block * (end - now) / (now - began + 1e-9))))
    return values


def _begin(number: int) -> int:
    began = _now()
    _slot[1] = began
    _slot[0] = number
    return began


def _now() -> int:
    return time.time_ns() // 1000


def _function(packed: bytes) -> Any:
    """Unpickle a function once for all chunks of its map."""
    function = _functions.get(packed)
    if function is None:
        function = _functions[packed] = unpack(packed)
        while len(_functions) > _FUNCTIONS:
            _functions.popitem(last=False)
    return function


def _leave_with_parent() -> None:
    # A worker holds both ends of its call queue, so it would never see that its parent died, and wait for ever.
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    commands = sys.modules.get(f"{__package__}.commands")
    if commands is not None:
        commands.end_all_at_once()
    os._exit(1)
