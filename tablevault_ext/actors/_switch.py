"""One flag that tells the ordinary path whether anything out of the ordinary is asked of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from tablevault_ext.actors._process import SPAWNED, Process, alive


class Switch:
    """`on` is true while a pause or a stop is asked for or messages are traced; the ordinary path looks only at it."""

    __slots__ = ("exempt", "held", "lock", "on", "paused", "stop", "traces")

    def __init__(self) -> None:
        self.on = False
        self.paused = False
        self.stop: Callable[[], BaseException] | None = None
        self.traces: tuple[Any, ...] = ()
        self.exempt: set[str] = set()  # pids that pass while paused, so that one actor can be stopped in a pause
        self.held: dict[asyncio.Future[None], Process] = {}
        self.lock = threading.Lock()

    def update(self) -> None:
        self.on = self.paused or self.stop is not None or bool(self.traces)


SWITCH = Switch()


async def pass_gate(process: Process) -> None:
    """Wait here while everything is paused; raise what the stop prescribes if a stop is asked for."""
    while True:
        if SWITCH.stop is not None and not process.terminating and not _is_supervised(process):
            raise SWITCH.stop()
        if not SWITCH.paused or process.pid in SWITCH.exempt:
            return
        turn = process.loop.create_future()
        with SWITCH.lock:
            SWITCH.held[turn] = process
        try:
            # Asked again: a resume from another thread may have come before we were in the list.
            if SWITCH.paused:
                await turn
        finally:
            with SWITCH.lock:
                SWITCH.held.pop(turn, None)


def release(chosen: Callable[[Process], bool] = lambda process: True) -> None:
    """Let the held processes look again. Callable from any thread."""
    with SWITCH.lock:
        turns = [(turn, process) for turn, process in SWITCH.held.items() if chosen(process)]
    for turn, process in turns:
        try:
            process.loop.call_soon_threadsafe(_end_turn, turn)
        except RuntimeError:  # its loop is closed: it waits for nothing any more
            continue


def _end_turn(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _is_supervised(process: Process) -> bool:
    # A supervisor ends its children itself, in reverse order of their start.
    parent = alive.get(process.parent) if process.parent and process.kind is SPAWNED else None
    return parent is not None and parent.supervises
