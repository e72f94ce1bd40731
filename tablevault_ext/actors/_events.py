"""The few events of an actor's life that an observer is told of; messages are never among them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tablevault_ext.actors._process import Process

log = logging.getLogger("tablevault_ext.actors")


@dataclass(frozen=True, slots=True)
class ActorEvent:
    """What happened to one actor: `kind` is spawn, exit (abnormal ones only), register, unregister or restart."""

    kind: str
    pid: str
    name: str | None = None
    parent: str | None = None
    reason: object = None
    restarts: int = 0
    at: float = field(default_factory=time.time)  # seconds since the epoch


class _Observer:
    __slots__ = ("sink",)

    def __init__(self) -> None:
        self.sink: Callable[[ActorEvent], None] | None = None


OBSERVER = _Observer()


def emit(kind: str, process: Process, reason: object = None) -> None:
    """Tell the observer, if there is one. An observer that fails is reported and never harms an actor."""
    sink = OBSERVER.sink
    if sink is None:
        return
    try:
        sink(ActorEvent(kind, process.pid, process.name, process.parent, reason, process.restarts))
    except Exception:
        log.exception("the observer of actors failed on %s of %s", kind, process.pid)
