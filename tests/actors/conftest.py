"""No actor test passes because an actor died quietly, and none leaves an actor behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from actor_support import Boom, until

from tablevault_ext import actors as process
from tablevault_ext.actors import _hooks, _process


@pytest.fixture(autouse=True)
async def deaths() -> AsyncIterator[list[_hooks.ActorEvent]]:
    """Fail the test if an actor ended with an error that the test does not remove from this list or raise as Boom."""
    events: list[_hooks.ActorEvent] = []
    _hooks.set_event_sink(lambda event: events.append(event) if event.kind == "exit" else None)
    yield events
    _hooks.set_event_sink(None)
    _hooks.clear_stop()
    _hooks.resume()
    for pid in process.processes():
        await process.exit(pid, "kill")
    await until(lambda: not _process.alive and not _process.exiting)
    assert not _process.names
    errors = [
        event.reason
        for event in events
        if isinstance(event.reason, BaseException) and not isinstance(event.reason, Boom)
    ]
    for error in errors:
        raise AssertionError(f"an actor of this test ended with {error!r}") from error
