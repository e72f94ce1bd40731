"""What processes share, as the coordination server keeps it: queues, values and events, by id.

Items and values are bytes here: the server has none of its users' modules, and need not understand them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadArgument
from ..model import now_us
from .errors import SharedStateLost, UnknownId

KINDS = ("queue", "value", "event")


@dataclass
class Thing:
    """One queue, value or event. ``items``: a queue's items, a value's value; an event's flag is ``flag``."""

    kind: str
    thing_id: str
    created_at: int
    maxsize: int = 0
    value_type: str = ""
    items: deque[bytes] = field(default_factory=deque)
    flag: bool = False
    deleted: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    @property
    def full(self) -> bool:
        return 0 < self.maxsize <= len(self.items)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "changed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, changed=threading.Condition())


class Shelf:
    """The calls that clients may make. Those that wait do so for ``wait`` seconds at most and then answer no.

    Args:
        note: told of each thing made and deleted, so that it is known what a crash has cost.
        caller_is_gone: whether the client of the calling thread is there no more: nothing is handed to the dead.
    """

    CALLS = (
        "hello",
        "create",
        "delete",
        "put",
        "get",
        "size",
        "clear",
        "list_queues",
        "get_value",
        "set_value",
        "set_event",
        "clear_event",
        "wait_event",
    )

    def __init__(self, note: Callable[[str, Thing], None], caller_is_gone: Callable[[], bool]) -> None:
        self.things: dict[str, Thing] = {}
        self.lost: dict[str, str] = {}  # id: kind
        self.lost_with = 0  # the pid of the server that died with them
        self._note = note
        self._caller_is_gone = caller_is_gone
        self._lock = threading.Lock()

    def hello(self) -> dict[str, Any]:
        """What a client that found its server gone should know."""
        return {"lost": dict(self.lost), "lost_with": self.lost_with}

    def create(self, kind: str, thing_id: str, maxsize: int, value_type: str, value: bytes) -> str:
        thing = Thing(kind, thing_id, now_us(), maxsize, value_type)
        if kind == "value":
            thing.items.append(value)
        with self._lock:
            present = self.things.get(thing_id)
            if present is not None:
                raise BadArgument(
                    f"there is {_a(present.kind)} {thing_id!r} in this vault already; use it, delete it, "
                    "or choose another name"
                )
            self.lost.pop(thing_id, None)
            self.things[thing_id] = thing
            self._note("created", thing)
        return thing_id

    def delete(self, kind: str, thing_id: str) -> None:
        with self._lock:
            if thing_id in self.lost:
                del self.lost[thing_id]
                self._note("deleted", Thing(kind, thing_id, 0))
                return
            thing = self._find(kind, thing_id)
            del self.things[thing_id]
            self._note("deleted", thing)
        with thing.changed:
            thing.deleted = True
            thing.changed.notify_all()

    # Queues

    def put(self, queue_id: str, item: bytes, wait: float) -> bool:
        queue = self._find("queue", queue_id)
        with queue.changed:
            if not self._wait(queue, lambda: not queue.full, wait):
                return False
            queue.items.append(item)
            queue.changed.notify_all()
        return True

    def get(self, queue_id: str, wait: float) -> bytes | None:
        queue = self._find("queue", queue_id)
        with queue.changed:
            if not self._wait(queue, lambda: bool(queue.items), wait):
                return None
            item = queue.items.popleft()
            if queue.maxsize:
                queue.changed.notify_all()
        return item

    def size(self, queue_id: str) -> tuple[int, int]:
        """(items, maxsize)"""
        queue = self._find("queue", queue_id)
        return len(queue.items), queue.maxsize

    def clear(self, queue_id: str) -> int:
        queue = self._find("queue", queue_id)
        with queue.changed:
            count = len(queue.items)
            queue.items.clear()
            queue.changed.notify_all()
        return count

    def list_queues(self) -> list[dict[str, Any]]:
        return [
            {
                "queue_id": thing.thing_id,
                "created_at": thing.created_at / 1e6,
                "maxsize": thing.maxsize,
                "size": len(thing.items),
                "empty": not thing.items,
                "full": thing.full,
            }
            for thing in list(self.things.values())
            if thing.kind == "queue"
        ]

    # Values

    def get_value(self, value_id: str) -> bytes:
        return self._find("value", value_id).items[0]

    def set_value(self, value_id: str, value: bytes, expected_type: str | None) -> str:
        """Set it if the client knew its type; the type in any case."""
        thing = self._find("value", value_id)
        if thing.value_type == expected_type:
            thing.items[0] = value
        return thing.value_type

    # Events

    def set_event(self, event_id: str) -> None:
        event = self._find("event", event_id)
        with event.changed:
            event.flag = True
            event.changed.notify_all()

    def clear_event(self, event_id: str) -> None:
        self._find("event", event_id).flag = False

    def wait_event(self, event_id: str, wait: float) -> bool:
        event = self._find("event", event_id)
        with event.changed:
            return self._wait(event, lambda: event.flag, wait)

    def _find(self, kind: str, thing_id: str) -> Thing:
        thing = self.things.get(thing_id)
        if thing is not None and thing.kind == kind:
            return thing
        if thing is not None:
            raise UnknownId(f"{thing_id[:200]!r} is {_a(thing.kind)}, not {_a(kind)}")
        if thing_id in self.lost:
            raise SharedStateLost(
                f"the {self.lost[thing_id]} {thing_id[:200]!r} was lost when the coordination server of this vault "
                f"(pid {self.lost_with}) died; create it again, under the same name if you like"
            )
        raise UnknownId(
            f"there is no {kind} {thing_id[:200]!r} in this vault: it was never created here, or it was deleted"
        )

    def _wait(self, thing: Thing, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait under the thing's condition; False when the time is over, or the client is."""
        if ready() and not thing.deleted:
            return True
        end = time.monotonic() + seconds
        while not thing.deleted:
            left = end - time.monotonic()
            if left <= 0 or not thing.changed.wait(left):
                return ready() and not thing.deleted and not self._caller_is_gone()
            if self._caller_is_gone():
                thing.changed.notify()
                return False
            if ready():
                return True
        raise UnknownId(f"the {thing.kind} {thing.thing_id[:200]!r} was deleted while this call waited for it")


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "event" else f"a {kind}"
