"""Queues, values and events by id or name, for every process of a vault."""

from __future__ import annotations

import asyncio
import pickle
import secrets
import time
from collections.abc import Callable
from typing import Any

from ..errors import BadArgument
from .arguments import check_count, check_id, check_timeout
from .errors import NotPicklable, QueueEmpty, QueueFull
from .payload import pack_any, unpack
from .recorder import Host
from .shared_client import call

_SLICE = 0.25
"""Seconds that one call waits on the server; between two, an automatic checkpoint passes here."""
_PLAIN = (str, int, float, bool, bytes, type(None))
_TYPES: dict[str, Callable[[Any], Any]] = {}


class SharedDesk:
    """What the processes of one vault share: ids and names work in all of them, until deleted."""

    def __init__(self, host: Host) -> None:
        self._host = host

    # Queues

    def create_queue(self, queue_id: str | None = None, maxsize: int = 0) -> str:
        """Make a queue and return its id.

        Args:
            queue_id: a name of one's own, which is the id then; None makes one.
            maxsize: items it holds at most; 0 has no limit.

        Raises:
            BadArgument: there is something of that name already.

        >>> jobs = create_queue(maxsize=10)
        >>> put_queue_item(jobs, {"file": "a.mp4"}), get_queue_item(jobs), delete_queue(jobs)
        (True, {'file': 'a.mp4'}, True)
        """
        check_count(maxsize, "maxsize", least=0)
        return self._create_shared("queue", queue_id, maxsize=maxsize)

    def put_queue_item(self, queue_id: str, item: Any, block: bool = True, timeout: float | None = None) -> bool:
        """Put something that can be pickled into a queue; True.

        Args:
            block: wait while it is full, at most ``timeout`` seconds (None: without a limit).

        Raises:
            QueueFull: it was, or stayed, full.
            UnknownId: no such queue, or it was deleted meanwhile. NotPicklable: the item cannot travel.
        """
        timeout = check_timeout(timeout)
        data = _pack_item(item)
        if not self._ask(lambda wait: self._call("put", queue_id, data, wait), block, timeout):
            raise QueueFull(f"the queue {queue_id!r} was full{_after(block, timeout)}; nothing was put")
        return True

    def get_queue_item(self, queue_id: str, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item out of a queue.

        Args:
            block: wait while it is empty, at most ``timeout`` seconds (None: without a limit).

        Raises:
            QueueEmpty: it was, or stayed, empty.
            UnknownId: no such queue, or it was deleted meanwhile.
        """
        timeout = check_timeout(timeout)
        data = self._ask(lambda wait: self._call("get", queue_id, wait), block, timeout)
        if data is None:
            raise QueueEmpty(f"the queue {queue_id!r} was empty{_after(block, timeout)}")
        return _unpack_item(data, queue_id)

    async def aput_queue_item(self, queue_id: str, item: Any, timeout: float | None = None) -> bool:
        """The awaiting twin of `put_queue_item`."""
        timeout = check_timeout(timeout)
        data = _pack_item(item)
        if not await _await(lambda: self._call("put", queue_id, data, 0.0), timeout):
            raise QueueFull(f"the queue {queue_id!r} was full{_after(True, timeout)}; nothing was put")
        return True

    async def aget_queue_item(self, queue_id: str, timeout: float | None = None) -> Any:
        """The awaiting twin of `get_queue_item`; cancelling it loses no item."""
        timeout = check_timeout(timeout)
        data = await _await(lambda: self._call("get", queue_id, 0.0), timeout)
        if data is None:
            raise QueueEmpty(f"the queue {queue_id!r} was empty{_after(True, timeout)}")
        return _unpack_item(data, queue_id)

    def get_queue_size(self, queue_id: str) -> int:
        """How many items are in a queue."""
        return int(self._call("size", queue_id)[0])

    def is_queue_empty(self, queue_id: str) -> bool:
        return self.get_queue_size(queue_id) == 0

    def is_queue_full(self, queue_id: str) -> bool:
        size, maxsize = self._call("size", queue_id)
        return bool(0 < maxsize <= size)

    def clear_queue(self, queue_id: str) -> int:
        """Throw away what is in a queue, at one stroke; how many items that were."""
        return int(self._call("clear", queue_id))

    def delete_queue(self, queue_id: str) -> bool:
        """Delete a queue with what is in it; whoever waits for it is told. True.

        Raises:
            UnknownId: there is none.
        """
        return self._delete_shared("queue", queue_id)

    def list_queues(self) -> list[dict[str, Any]]:
        """The queues of the vault: ``queue_id, maxsize, size, empty, full, created_at`` (seconds since the epoch)."""
        found: list[dict[str, Any]] = self._call("list_queues")
        return found

    # Values

    def create_shared_value(self, value_id: str | None = None, value_type: str = "i", initial_value: Any = 0) -> str:
        """Make a value that all processes see, and return its id.

        Args:
            value_type: ``i`` whole number, ``b`` True or False, ``d`` number, ``s`` text.

        >>> ready = create_shared_value(value_type="b", initial_value=False)
        >>> set_shared_value(ready, True)
        >>> get_shared_value(ready), delete_shared_value(ready)
        (True, True)
        """
        value_type = _checked_type(value_type)
        value = pickle.dumps(_TYPES[value_type](initial_value))
        return self._create_shared("value", value_id, value_type=value_type, value=value)

    def get_shared_value(self, value_id: str) -> Any:
        return unpack(self._call("get_value", value_id))

    def set_shared_value(self, value_id: str, value: Any) -> None:
        """Set a value.

        Raises:
            BadArgument: ``value`` is not of its type; it keeps what it has.
        """
        expected: str | None = {bool: "b", int: "i", float: "d", str: "s"}.get(type(value))
        while True:
            data = pickle.dumps(_TYPES[expected](value)) if expected else b""
            actual = self._call("set_value", value_id, data, expected)
            if actual == expected:
                return
            expected = actual  # it was not set: its type is another one, into which the value may fit
            _TYPES[actual](value)

    def delete_shared_value(self, value_id: str) -> bool:
        """Delete a value; True."""
        return self._delete_shared("value", value_id)

    # Events

    def create_event(self, event_id: str | None = None) -> str:
        """Make an event, not set, and return its id.

        >>> go = create_event()
        >>> set_event(go)
        >>> wait_for_event(go, timeout=10), is_event_set(go), delete_event(go)
        (True, True, True)
        """
        return self._create_shared("event", event_id)

    def set_event(self, event_id: str) -> None:
        """Set an event: whoever waits for it goes on."""
        self._call("set_event", event_id)

    def clear_event(self, event_id: str) -> None:
        self._call("clear_event", event_id)

    def is_event_set(self, event_id: str) -> bool:
        return bool(self._call("wait_event", event_id, 0.0))

    def wait_for_event(self, event_id: str, timeout: float | None = None) -> bool:
        """Wait until an event is set; False when ``timeout`` seconds are over first."""
        timeout = check_timeout(timeout)
        return bool(self._ask(lambda wait: self._call("wait_event", event_id, wait), True, timeout))

    async def await_for_event(self, event_id: str, timeout: float | None = None) -> bool:
        """The awaiting twin of `wait_for_event`."""
        return bool(await _await(lambda: self._call("wait_event", event_id, 0.0), check_timeout(timeout)))

    def delete_event(self, event_id: str) -> bool:
        """Delete an event; whoever waits for it is told. True."""
        return self._delete_shared("event", event_id)

    # Within

    def _call(self, method: str, thing_id: str = "", *args: Any) -> Any:
        if method != "list_queues" and not isinstance(thing_id, str):
            raise BadArgument(f"an id is a string, not {type(thing_id).__name__}")
        return call(self._host.paths, method, *((thing_id, *args) if method != "list_queues" else ()))

    def _delete_shared(self, kind: str, thing_id: str) -> bool:
        call(self._host.paths, "delete", kind, check_id(thing_id, f"{kind}_id"))
        return True

    def _create_shared(
        self, kind: str, thing_id: str | None, *, maxsize: int = 0, value_type: str = "", value: bytes = b""
    ) -> str:
        thing_id = f"{kind}-{secrets.token_hex(6)}" if thing_id is None else check_id(thing_id, f"{kind}_id")
        return str(call(self._host.paths, "create", kind, thing_id, maxsize, value_type, value))

    def _ask(self, ask: Callable[[float], Any], block: bool, timeout: float | None) -> Any:
        """Ask again and again, each time for a slice, until the answer is not no."""
        if not block:
            return ask(0.0)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            wait = _SLICE if end is None else max(0.0, min(_SLICE, end - time.monotonic()))
            answer = ask(wait)
            if answer or (end is not None and time.monotonic() >= end):
                return answer
            self._host.checkpoint()


def _after(block: bool, timeout: float | None) -> str:
    return f" for {timeout:g} s" if block and timeout is not None else ""


async def _await(ask: Callable[[], Any], timeout: float | None) -> Any:
    end = None if timeout is None else time.monotonic() + timeout
    pause = 0.001
    while True:
        answer = ask()
        if answer or (end is not None and time.monotonic() >= end):
            return answer
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _pack_item(item: Any) -> bytes:
    if type(item) in _PLAIN:
        return pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
    return pack_any(item, f"the item (a {type(item).__name__})")


def _unpack_item(data: bytes, queue_id: str) -> Any:
    try:
        return unpack(data)
    except Exception as error:
        raise NotPicklable(
            f"an item of the queue {queue_id!r} cannot be unpickled here, and is gone: "
            f"{type(error).__name__}: {error}; its module must be importable in both processes"
        ) from error


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise BadArgument(f"a shared value of type 'i' holds whole numbers, not {value!r}")
    return int(value)


def _boolean(value: Any) -> bool:
    if value not in (True, False):
        raise BadArgument(f"a shared value of type 'b' holds True or False, not {value!r}")
    return bool(value)


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadArgument(f"a shared value of type 'd' holds numbers, not {value!r}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadArgument(f"a shared value of type 's' holds text, not {value!r}")
    return value


_TYPES |= {"i": _integer, "b": _boolean, "d": _double, "s": _text}


def _checked_type(value_type: Any) -> str:
    if value_type not in _TYPES:
        raise BadArgument(
            f"value_type is 'i' (whole number), 'b' (True or False), 'd' (number) or 's' (text), not {value_type!r}"
        )
    return str(value_type)
