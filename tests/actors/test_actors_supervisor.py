"""supervisor and dynamic_supervisor, against OTP's description of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from actor_support import Boom, down, idle, until

from tablevault_ext import actors as process
from tablevault_ext.actors import ChildSpec, GenServer, _process, dynamic_supervisor, gen_server, supervisor
from tablevault_ext.actors.supervisor import Supervisor


async def worker(label: str, log: list[str] | None = None) -> None:
    """Notes its start and end; crashes, ends or exits when told."""
    log = [] if log is None else log
    log.append(f"+{label}")
    try:
        while True:
            order = await process.receive()
            if order == "crash":
                raise Boom(label)
            if order == "end":
                return
            raise process.ProcessExit(order)
    finally:
        log.append(f"-{label}")


def specs(log: list[str], labels: str = "abc", **options: Any) -> list[ChildSpec]:
    return [ChildSpec(label, worker, [label, log], name=label, **options) for label in labels]


async def pids(top: str) -> dict[str | None, Any]:
    return {child.id: child.pid for child in await supervisor.which_children(top)}


async def steady(top: str, number: int, before: dict[str | None, Any], changed: str) -> dict[str | None, Any]:
    """The children once all run again and those named have new pids."""
    while True:
        now = await pids(top)
        if len(now) == number and all(now.values()) and all(now[label] != before[label] for label in changed):
            return now
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("strategy", "restarted", "order"),
    [
        ("one_for_one", "b", ["-b", "+b"]),
        ("one_for_all", "abc", ["-b", "-c", "-a", "+a", "+b", "+c"]),
        ("rest_for_one", "bc", ["-b", "-c", "+b", "+c"]),
    ],
)
async def test_strategies(strategy: Any, restarted: str, order: list[str]) -> None:
    """Who is ended and restarted, in which order, when b crashes."""
    log: list[str] = []
    top = await supervisor.start(specs(log), strategy)
    before = await pids(top)
    assert log == ["+a", "+b", "+c"] or await until(lambda: len(log) == 3) is None
    log.clear()
    await process.send("b", "crash")
    after = await steady(top, 3, before, restarted)
    await until(lambda: len(log) == len(order))
    assert log == order
    assert {label for label in "abc" if before[label] != after[label]} == set(restarted)
    assert [c.restarts for c in await supervisor.which_children(top)] == [int(label in restarted) for label in "abc"]
    log.clear()
    await supervisor.stop(top)
    assert log == ["-c", "-b", "-a"]
    assert not [name for name in "abc" if process.whereis(name)]


RESTARTS = [
    ("permanent", "end", True),
    ("permanent", "crash", True),
    ("permanent", "shutdown", True),
    ("transient", "end", False),
    ("transient", "crash", True),
    ("transient", "shutdown", False),
    ("transient", "odd", True),
    ("temporary", "end", False),
    ("temporary", "crash", False),
]


@pytest.mark.parametrize(("restart", "order", "comes_back"), RESTARTS)
async def test_restart_types(restart: Any, order: str, comes_back: bool) -> None:
    """OTP's table of permanent, transient and temporary; a temporary child's specification goes with it."""
    top = await supervisor.start(specs([], "a", restart=restart))
    before = await pids(top)
    await process.send("a", order)
    await until(lambda: not process.is_alive(before["a"]))
    if comes_back:
        assert (await steady(top, 1, before, "a"))["a"] is not None
    else:
        counts = {"specs": int(restart != "temporary"), "active": 0}
        await until(lambda: process.process_info(top).status == "waiting")
        assert {key: (await supervisor.count_children(top))[key] for key in counts} == counts
        if restart != "temporary":
            assert await supervisor.restart_child(top, "a") == process.whereis("a")


async def test_a_supervisor_over_its_intensity_gives_up() -> None:
    """More than 3 restarts within the period: children ended, reason shutdown."""
    log: list[str] = []
    top = await supervisor.start(specs(log, "ab"), intensity=3, period=60)
    ref = await process.monitor(top)
    for _ in range(4):
        before = await pids(top)
        await process.send("a", "crash")
        await until(lambda before=before: not process.is_alive(before["a"]))
        if process.is_alive(top):
            await until(lambda: process.whereis("a") or not process.is_alive(top))
    assert await down(ref) == "shutdown"
    assert log.count("+a") == 4 and log[-1] == "-b"
    assert process.whereis("a") is process.whereis("b") is None


async def test_a_child_whose_restart_fails_is_tried_until_the_intensity() -> None:
    """OTP: a failed restart counts as another one."""
    starts = []

    class Fragile(GenServer):
        async def init(self) -> None:
            starts.append(1)
            if len(starts) > 1:
                raise Boom("cannot start again")

        async def handle_cast(self, request: Any) -> None:
            raise Boom("crash")

    top = await supervisor.start([ChildSpec("f", Fragile, name="f")], intensity=5)
    ref = await process.monitor(top)
    await gen_server.cast("f", "x")
    assert await down(ref) == "shutdown"
    assert len(starts) == 1 + 5


async def test_a_failing_start_ends_what_was_started() -> None:
    """The error comes out of start; the children before it are ended, in reverse order."""
    log: list[str] = []

    class Bad(GenServer):
        async def init(self) -> None:
            await until(lambda: log == ["+a", "+b"])
            raise Boom("bad")

    with pytest.raises(Boom):
        await supervisor.start([*specs(log, "ab"), ChildSpec("bad", Bad)])
    assert log == ["+a", "+b", "-b", "-a"]
    with pytest.raises(ValueError, match="strategy"):
        await supervisor.start([], "one_for_none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same id"):
        await supervisor.start(specs(log, "aa"))


@pytest.mark.parametrize("shutdown", ["brutal_kill", 0.05])
async def test_shutdown_kills_a_child_that_does_not_go(shutdown: Any) -> None:
    """brutal_kill at once, a number after so many seconds; a trapping child that ignores shutdown is killed."""
    reasons = []

    async def deaf() -> None:
        await process.process_flag("trap_exits", True)
        await idle()

    top = await supervisor.start([ChildSpec("deaf", deaf, shutdown=shutdown)])
    child = (await pids(top))["deaf"]
    ref = await process.monitor(child)
    await until(lambda: process.process_info(child).trap_exits)
    await supervisor.terminate_child(top, "deaf")
    reasons.append(await down(ref))
    assert reasons == ["killed"]
    assert (await pids(top)) == {"deaf": None}


async def test_shutdown_gives_the_time_it_promises() -> None:
    """A cleanup longer than a plain exit's grace is not cut short."""
    cleaned = []

    async def slow() -> None:
        try:
            await idle()
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(True)

    top = await supervisor.start([ChildSpec("slow", slow, shutdown="infinity")])
    await until(lambda: process.process_info(process.observe().processes[-1].pid).status == "waiting")
    await supervisor.stop(top)
    assert cleaned == [True]


async def test_children_are_managed_by_id() -> None:
    """start, terminate, restart, delete; refusals leave the supervisor as it was."""
    top = await supervisor.start(name="top")
    pid = await supervisor.start_child(top, ChildSpec("x", worker, ["x"]))
    with pytest.raises(supervisor.ChildError, match="already"):
        await supervisor.start_child(top, ChildSpec("x", worker, ["x"]))
    with pytest.raises(supervisor.ChildError, match="terminate_child"):
        await supervisor.delete_child(top, "x")
    with pytest.raises(supervisor.ChildError, match="runs as"):
        await supervisor.restart_child(top, "x")
    await supervisor.terminate_child(top, "x")
    assert not process.is_alive(pid)
    assert await supervisor.restart_child(top, "x") != pid
    await supervisor.terminate_child(top, "x")
    await supervisor.delete_child(top, "x")
    with pytest.raises(supervisor.ChildError, match="no child 'x'"):
        await supervisor.terminate_child(top, "x")
    assert await supervisor.count_children("top") == {"specs": 0, "active": 0, "supervisors": 0, "workers": 0}
    for wrong in ({"restart": "sometimes"}, {"shutdown": "later"}):
        with pytest.raises(ValueError):
            ChildSpec("w", worker, **wrong)  # type: ignore[arg-type]


async def test_supervisors_nest() -> None:
    """A supervisor as a child: restarted with its children, ended before its older siblings."""
    log: list[str] = []
    inner = ChildSpec("inner", Supervisor, [specs(log, "bc")], {"intensity": 0}, name="inner")
    top = await supervisor.start([*specs(log, "a"), inner])
    assert [child.type for child in await supervisor.which_children(top)] == ["worker", "supervisor"]
    before = await pids(top)
    await until(lambda: len(log) == 3)
    log.clear()
    await process.send("c", "crash")
    await steady(top, 2, before, "")
    await until(lambda: log == ["-c", "-b", "+b", "+c"])
    log.clear()
    await supervisor.stop(top)
    assert log == ["-c", "-b", "-a"]


async def test_a_linked_supervisor_ends_with_its_parent() -> None:
    """And its children end before it."""
    log: list[str] = []

    async def parent() -> None:
        await supervisor.start_link(specs(log, "ab"), name="top")
        await until(lambda: len(log) == 2)
        raise process.ProcessExit("done")

    _, ref = await process.spawn_monitor(parent)
    assert await down(ref) == "done"
    await until(lambda: process.whereis("top") is None and len(process.processes()) == 1)
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_killed_supervisor_takes_its_children_along() -> None:
    """kill runs no cleanup; the links do the work."""
    top = await supervisor.start(specs([], "ab"))
    await process.exit(top, "kill")
    await until(lambda: not process.whereis("a") and not process.whereis("b"))


async def test_a_thousand_crash_and_restart_cycles_leave_nothing_behind() -> None:
    """No task, no name, no mailbox, no timer."""
    tasks = len(asyncio.all_tasks())
    top = await supervisor.start(specs([], "a"), intensity=1001, period=600)
    for _ in range(1000):
        old = process.whereis("a")
        await process.send("a", "crash")
        await until(lambda old=old: process.whereis("a") not in (None, old))
    assert (await supervisor.which_children(top))[0].restarts == 1000
    assert process.process_info(process.whereis("a")).restarts == 1000
    assert len(process.processes()) == 2 and process.registered() == ["a"]
    await supervisor.stop(top)
    assert not _process.alive and not _process.exiting and not _process.names and not gen_server._calls
    assert len(asyncio.all_tasks()) == tasks


async def test_dynamic_supervisor() -> None:
    """Children on demand, restarted one for one, listed, counted, ended; max_children; intensity."""
    top = await dynamic_supervisor.start(intensity=1, period=60, max_children=2, name="dynamic")
    first = await dynamic_supervisor.start_child(top, worker, ["x"], name="x")
    second = await dynamic_supervisor.start_child(top, worker, ["y"], restart="temporary")
    with pytest.raises(dynamic_supervisor.ChildError, match="max_children"):
        await dynamic_supervisor.start_child(top, worker, ["z"])
    assert (await dynamic_supervisor.count_children(top))["active"] == 2
    await process.send("x", "crash")
    await until(lambda: process.whereis("x") not in (None, first))
    await process.send(second, "crash")
    await until(lambda: not process.is_alive(second))
    await until(lambda: process.process_info(top).status == "waiting")
    children = await dynamic_supervisor.which_children(top)
    assert [(child.pid, child.restarts) for child in children] == [(process.whereis("x"), 1)]
    with pytest.raises(dynamic_supervisor.ChildError, match="no child"):
        await dynamic_supervisor.terminate_child(top, second)
    await dynamic_supervisor.terminate_child(top, children[0].pid)
    assert await dynamic_supervisor.which_children(top) == []

    class Bad(GenServer):
        async def init(self) -> None:
            raise Boom("bad")

    with pytest.raises(dynamic_supervisor.ChildError, match="bad"):
        await dynamic_supervisor.start_child(top, Bad)
    last = await dynamic_supervisor.start_child(top, worker, ["x"], name="x")
    ref = await process.monitor(top)
    await process.send(last, "crash")
    assert await down(ref) == "shutdown"


async def test_stopping_a_dynamic_supervisor_ends_all_children() -> None:
    """All at once, each by its own shutdown."""
    top = await dynamic_supervisor.start()
    children = [await dynamic_supervisor.start_child(top, idle) for _ in range(20)]
    await dynamic_supervisor.stop(top)
    assert not any(process.is_alive(pid) for pid in children)
