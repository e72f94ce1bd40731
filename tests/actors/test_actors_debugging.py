"""process_info, observe and trace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from actor_support import idle, in_process, until

from tablevault_ext import actors as process


async def test_process_info_has_the_documents_fields() -> None:
    """pid, task, mailbox, name, links, monitors, trap_exits; as keys and as attributes; None for the dead."""
    pid = await process.spawn(asyncio.sleep, [30], name="looked at", trap_exits=True)
    ref = await process.monitor(pid)
    await process.link(pid)
    await process.send(pid, "waiting")
    info = process.process_info(pid)
    assert info is not None
    assert info["pid"] == info.pid == pid
    assert isinstance(info["task"], asyncio.Task)
    assert info["mailbox"] == ["waiting"]
    assert info["name"] == "looked at"
    assert info["links"] == {process.self()}
    assert info["monitors"] == {ref: process.self()}
    assert info["trap_exits"] is True
    assert process.process_info().monitoring == {ref: pid}
    with pytest.raises(AttributeError, match="no field 'colour'"):
        info.colour
    await process.unlink(pid)
    await process.exit(pid, "kill")
    await until(lambda: process.process_info(pid) is None)


async def test_process_info_defaults_to_the_caller() -> None:
    """Without a pid, the calling process; outside, None."""
    assert process.process_info() is None
    assert (await in_process(own_info)).reductions >= 0


async def own_info() -> Any:
    return process.process_info()


async def test_observe_shows_the_tree() -> None:
    """Who spawned whom, with mailbox depth, links, monitors and reductions."""

    async def parent() -> None:
        child = await process.spawn_link(asyncio.sleep, [30], name="child")
        await process.send(child, "x")
        await process.receive()
        await idle()

    pid, _ = await process.spawn_monitor(parent, name="parent")
    await until(lambda: process.whereis("child"))
    await process.send(pid, "go")
    await until(lambda: process.process_info(pid).reductions == 2)
    text = str(process.observe())
    assert text.startswith("3 actors\n")
    lines = {line.split(" (")[0].strip("│└├─ "): line for line in text.splitlines()[1:]}
    assert "   " in lines["child"].split("└")[0] and "mailbox 1/100" in lines["child"] and "links 1" in lines["child"]
    assert "monitored by 1" in lines["parent"] and "waiting" in lines["parent"] and "reductions 2" in lines["parent"]
    assert len(process.observe()) == 3 and repr(process.observe()).count("\n") == 3


async def test_observe_survives_deep_chains() -> None:
    """Each process spawned by the one before: no recursion limit."""

    async def chain(left: int) -> None:
        if left:
            await process.spawn(chain, [left - 1])
        await idle()

    await process.spawn(chain, [1500])
    await until(lambda: len(process.processes()) == 1501)
    assert len(str(process.observe()).splitlines()) == 1502


async def test_trace_shows_messages_of_one_or_all() -> None:
    """Sends and receives, with both ends; stop ends it; other processes do not show."""
    events: list[process.TraceEvent] = []
    first, second = await process.spawn(idle, name="first"), await process.spawn(idle)

    async def talk() -> Any:
        await process.send(first, "one")
        await process.send(second, "two")
        return process.self()

    with process.trace("first", to=events.append):
        sender = await in_process(talk)
        await until(lambda: len(events) == 2)
    await in_process(talk)
    assert [(e.kind, e.sender, e.receiver, e.message) for e in events] == [
        ("send", sender, first, "one"),
        ("receive", None, first, "one"),
    ]
    assert "→" in str(events[0]) and "'one'" in str(events[0])
    everything: list[process.TraceEvent] = []
    tracing = process.trace(to=everything.append)
    await in_process(talk)
    await until(lambda: len(everything) == 4)
    tracing.stop()
    tracing.stop()
    with pytest.raises(process.NoSuchProcess):
        process.trace("nobody")


async def test_a_failing_trace_function_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the message arrives."""

    def fail(event: object) -> None:
        raise RuntimeError("tracer")

    async def talk() -> Any:
        await process.send(process.self(), "x")
        return await process.receive()

    with process.trace(to=fail):
        assert await in_process(talk) == "x"
    assert "a trace function failed" in caplog.text
