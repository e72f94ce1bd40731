"""The seam for a host such as a Vault, with a host that only takes notes."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from actor_support import Boom, crash, down, idle, in_process, until

from tablevault_ext import actors as process
from tablevault_ext.actors import ChildSpec, _hooks, supervisor


class Stopped(BaseException):
    """What the host raises at a checkpoint."""


@pytest.fixture
def events(deaths: list[Any]) -> list[_hooks.ActorEvent]:
    noted: list[_hooks.ActorEvent] = []
    _hooks.set_event_sink(noted.append)
    return noted


async def counting(log: list[Any]) -> None:
    while True:
        log.append(await process.receive())


async def test_the_sink_hears_of_lives_but_not_of_messages(events: list[_hooks.ActorEvent]) -> None:
    """spawn, register, unregister, abnormal exit, restart; normal ends and messages are silent."""
    error = Boom("x")
    pid = await process.spawn(crash, [error], name="crashes")
    await until(lambda: not process.is_alive(pid))
    quiet = await process.spawn(idle)
    await process.register("quiet", quiet)
    await process.send(quiet, "message")
    await process.unregister("quiet")
    await process.exit(quiet, "shutdown")
    await until(lambda: process.process_info(quiet) is None)
    assert [(e.kind, e.pid, e.name, e.reason) for e in events] == [
        ("spawn", pid, "crashes", None),
        ("exit", pid, "crashes", error),
        ("spawn", quiet, None, None),
        ("register", quiet, "quiet", None),
        ("unregister", quiet, None, None),
    ]
    events.clear()
    top = await supervisor.start([ChildSpec("a", crash_when_told, name="a")])
    await process.send("a", "crash")
    await until(lambda: any(event.kind == "restart" for event in events))
    assert [(e.kind, e.name, e.restarts, e.parent) for e in events if e.name == "a"][-3:] == [
        ("exit", "a", 0, top),
        ("spawn", "a", 0, top),
        ("restart", "a", 1, top),
    ]


async def crash_when_told() -> None:
    await process.receive()
    raise Boom("told")


async def test_a_failing_sink_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the actor lives."""

    def fail(event: object) -> None:
        raise RuntimeError("sink")

    _hooks.set_event_sink(fail)
    assert await in_process(asyncio.sleep, 0, "fine") == "fine"
    assert "the observer of actors failed" in caplog.text


async def test_pause_holds_every_actor_at_its_receive_and_resume_loses_nothing() -> None:
    """Waiting, busy and selective receivers stop taking messages, from whichever thread the pause comes."""
    log: list[Any] = []
    plain = await process.spawn(counting, [log])

    async def selective() -> None:
        while True:
            log.append(await process.receive(timeout=60, match=lambda m: m == "s"))

    chooser = await process.spawn(selective)
    await until(lambda: _hooks.places() == (2, 0))
    await asyncio.to_thread(_hooks.pause)
    for _ in range(3):
        await process.send(plain, "p")
        await process.send(chooser, "s")
    late = await process.spawn(counting, [log])
    await process.send(late, "late")
    await until(lambda: [s.state for s in _hooks.snapshot()] == ["paused"] * 3)
    assert log == []
    await asyncio.to_thread(_hooks.resume)
    await until(lambda: len(log) == 7)
    assert sorted(log) == ["late", "p", "p", "p", "s", "s", "s"]


async def test_an_exit_signal_reaches_a_paused_actor() -> None:
    """A pause protects nobody from kill."""
    pid, ref = await process.spawn_monitor(idle)
    me = process.self()
    _hooks.pause()
    await process.send(pid, "x")
    await until(lambda: process.process_info(pid).status == "paused")
    await process.exit(pid, "kill")
    await until(lambda: process.process_info(pid) is None)
    _hooks.resume()
    assert await down(ref) == "killed" and process.self() == me


async def test_stop_raises_at_receive_and_ends_supervised_children_in_order(deaths: list[Any]) -> None:
    """Each actor meets the exception; a supervisor ends its children in reverse; nobody is restarted."""
    ended: list[str] = []

    async def note(label: str) -> None:
        try:
            await idle()
        except BaseException as error:
            ended.append(f"{label} {type(error).__name__}")
            raise

    await process.spawn(note, ["oldest"])
    children = [ChildSpec(label, note, [label]) for label in "abc"]
    await supervisor.start(children, intensity=100)
    await process.spawn(note, ["youngest"])
    await until(lambda: _hooks.places()[0] == 6)
    await asyncio.to_thread(_hooks.stop, Stopped)
    await until(lambda: not process.processes())
    assert len(ended) == 5 and ended[0] == "youngest Stopped" and "oldest Stopped" in ended
    supervised = [entry.split()[0] for entry in ended if not entry.endswith("Stopped")]
    assert supervised == ["c", "b", "a"]
    deaths.clear()


async def test_a_stop_is_sticky_until_it_is_cleared(deaths: list[Any]) -> None:
    """Swallowed once, met again; after clear_stop actors receive as usual; a stop ends a pause."""
    met = 0

    async def swallower() -> None:
        nonlocal met
        while met < 3:
            try:
                await process.receive()
            except Stopped:
                met += 1

    _hooks.pause()
    _, ref = await process.spawn_monitor(swallower)
    await asyncio.sleep(0)
    _hooks.stop(Stopped)
    await until(lambda: met == 3)
    _hooks.clear_stop()
    assert await down(ref) == "normal"


async def test_one_actor_is_stopped_from_another_thread() -> None:
    """By pid; the future tells the reason; the others go on; in a pause, too."""
    first, second = await process.spawn(idle), await process.spawn(idle, trap_exits=True)
    assert await asyncio.to_thread(lambda: _hooks.stop_actor(first).result(60)) == "shutdown"
    assert process.is_alive(second)
    assert await asyncio.to_thread(lambda: _hooks.stop_actor(second, grace=0.01).result(60)) == "killed"
    third = await process.spawn(idle)
    _hooks.pause()
    await process.send(third, "x")
    assert await asyncio.wrap_future(_hooks.stop_actor(third)) == "shutdown"
    with pytest.raises(process.NoSuchProcess):
        _hooks.stop_actor(third)


@pytest.mark.parametrize("paused", [False, True])
async def test_a_supervised_actor_is_stopped_for_good(paused: bool) -> None:
    """Its supervisor ends it and does not restart it."""
    top = await supervisor.start([ChildSpec("a", idle, name="a"), ChildSpec("b", idle, name="b")])
    pid = process.whereis("a")
    if paused:
        _hooks.pause()
    assert await asyncio.wrap_future(_hooks.stop_actor(pid)) == "shutdown"
    _hooks.resume()
    assert [child.pid for child in await supervisor.which_children(top)] == [None, process.whereis("b")]
    assert process.process_info(pid) is None


async def test_a_snapshot_can_be_taken_while_everything_changes() -> None:
    """From a thread, again and again, with processes coming and going."""
    stop = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not stop.is_set():
            seen.append(len(_hooks.snapshot()))
            str(process.observe())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        end = time.monotonic() + 60
        while not (len(seen) > 50 and max(seen) > 1) and time.monotonic() < end:
            pids = [await process.spawn_link(idle) for _ in range(100)]
            await asyncio.sleep(0)
            for pid in pids:
                await process.unlink(pid)
                await process.exit(pid, "kill")
            await asyncio.sleep(0)
    finally:
        stop.set()
        thread.join()
    assert max(seen) > 1


async def test_what_a_snapshot_tells() -> None:
    """pid, name, state, mailbox depth, links, monitors, restarts, reductions, parent."""
    pid, _ = await process.spawn_monitor(asyncio.sleep, [30], name="seen")
    await process.link(pid)
    await process.send(pid, "x")
    shot = {snapshot.pid: snapshot for snapshot in _hooks.snapshot()}[pid]
    me = process.self()
    assert (shot.name, shot.state, shot.mailbox_depth) == ("seen", "running", 1)
    assert (shot.links, shot.monitors, shot.parent) == ((me,), (me,), me)
    assert (shot.restarts, shot.reductions, shot.kind, shot.supervisor) == (0, 0, "process", False)
    await process.unlink(pid)
