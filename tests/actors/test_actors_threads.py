"""Other threads, other loops, closed loops, cancellation storms, forks."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from actor_support import down, idle, until

from tablevault_ext import actors as process
from tablevault_ext.actors import _process, gen_server


def in_thread(work: Callable[[], Any]) -> asyncio.Future[Any]:
    return asyncio.ensure_future(asyncio.to_thread(work))


async def collect(count: int) -> None:
    """Receive so many messages; fail if those of one sender come out of order."""
    latest: dict[Any, int] = {}
    for _ in range(count):
        sender, number = await process.receive()
        assert number == latest.get(sender, -1) + 1
        latest[sender] = number


async def test_sends_from_threads_and_their_loops() -> None:
    """Eight threads, half with send_threadsafe, half with a loop of their own: nothing lost, order kept, bound kept."""
    pid, ref = await process.spawn_monitor(collect, [8 * 300], mailbox_size=10)

    def plain(sender: int) -> None:
        for number in range(300):
            process.send_threadsafe(pid, (sender, number))

    async def own_loop(sender: int) -> None:
        for number in range(300):
            await process.send(pid, (sender, number))

    work = [in_thread(lambda n=n: plain(n)) for n in range(4)]
    work += [in_thread(lambda n=n: asyncio.run(own_loop(n))) for n in range(4, 8)]
    await asyncio.gather(*work)
    assert await down(ref) == "normal"


async def test_send_threadsafe_says_what_went_wrong() -> None:
    """No such process, no room in time, a thread with a loop, death while waiting."""
    pid = await process.spawn(asyncio.sleep, [30], mailbox_size=1)
    with pytest.raises(process.NotInProcess):
        process.send_threadsafe(pid, 1)
    with pytest.raises(process.NoSuchProcess):
        await in_thread(lambda: process.send_threadsafe("nobody", 1))
    await in_thread(lambda: process.send_threadsafe(pid, 1))
    with pytest.raises(TimeoutError):
        await in_thread(lambda: process.send_threadsafe(pid, 2, timeout=0.05))
    blocked = in_thread(lambda: process.send_threadsafe(pid, 3))
    await until(lambda: process.process_info(pid).mailbox_depth == 3)
    await process.exit(pid, "kill")
    with pytest.raises(process.NoSuchProcess):
        await blocked


async def test_everything_works_across_loops() -> None:
    """monitor, link, call and exit between processes in the loops of two threads."""

    class Echo(process.GenServer):
        async def handle_call(self, request: Any, from_: Any) -> Any:
            return request

    echo = await gen_server.start(Echo)
    victim = await process.spawn(idle)
    bound = await process.spawn(idle)

    async def elsewhere() -> None:
        assert await gen_server.call(echo, "hi") == "hi"
        await process.process_flag("trap_exits", True)
        ref = await process.monitor(victim)
        await process.link(bound)
        await process.exit(victim, "from elsewhere")
        assert await down(ref) == "from elsewhere"
        await until(lambda: process.self() in process.process_info(bound).links)
        await process.exit(bound, "bye")
        assert await process.receive(timeout=60) == ("EXIT", bound, "bye")
        dead = await process.monitor(victim)
        assert await down(dead) == "noproc"

    await in_thread(lambda: asyncio.run(elsewhere()))


async def test_a_process_in_another_loop_that_ends_takes_its_links_along() -> None:
    """The exit signal crosses threads."""
    pid, ref = await process.spawn_monitor(idle)

    async def elsewhere() -> None:
        async def failing() -> None:
            await process.link(pid)
            await until(lambda: process.process_info(pid).links)
            raise process.ProcessExit("boom over there")

        _, mine = await process.spawn_monitor(failing)
        assert await down(mine) == "boom over there"

    await in_thread(lambda: asyncio.run(elsewhere()))
    assert await down(ref) == "boom over there"


def test_a_loop_closed_while_actors_live() -> None:
    """They are dead to everybody: not listed, not alive, names free, sends refused, watchers told 'noconnection'."""
    loop = asyncio.new_event_loop()

    async def begin() -> tuple[str, str]:
        return await process.spawn(idle, name="waits"), await process.spawn(asyncio.sleep, [60], name="sleeps")

    pids = loop.run_until_complete(begin())
    loop.run_until_complete(asyncio.sleep(0))

    async def watch() -> None:
        refs = [await process.monitor(pid) for pid in pids]
        # monitors on a loop that does not run arrive when it does; run it once more, then close it
        await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0.01))
        loop.close()
        assert not any(process.is_alive(pid) for pid in pids)
        assert [await down(ref) for ref in refs] == ["noconnection"] * 2

    asyncio.run(watch())

    async def afterwards() -> None:
        for target in (*pids, "waits", "sleeps"):
            with pytest.raises(process.NoSuchProcess):
                await process.send(target, "x")
        assert process.registered() == []
        await process.spawn(lambda: None, name="waits")

    asyncio.run(afterwards())
    gc.collect()
    assert not _process.alive and not _process.exiting


def test_sends_right_after_a_loop_was_closed_are_refused() -> None:
    """Without anybody having looked: the waiting receiver's loop is gone."""
    loop = asyncio.new_event_loop()
    pid = loop.run_until_complete(process.spawn(idle))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def afterwards() -> None:
        with pytest.raises(process.NoSuchProcess):
            await process.send(pid, "x")

    asyncio.run(afterwards())
    gc.collect()


def test_asyncio_run_ends_the_actors_it_leaves_behind(deaths: list[Any]) -> None:
    """The end of asyncio.run cancels them, finally blocks included; no word on stderr, nothing left."""
    ended = []

    async def tidy() -> None:
        try:
            await idle()
        finally:
            ended.append(process.self())

    async def main() -> None:
        for _ in range(10):
            await process.spawn(tidy)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert len(ended) == 10 and not _process.alive
    deaths.clear()


async def test_cancellation_storms(deaths: list[Any]) -> None:
    """Random cancellations from outside, exit signals and sends: every process ends once, nothing is left."""
    chance = random.Random(6)

    async def busy(partners: list[str]) -> None:
        while True:
            try:
                await process.receive(timeout=chance.random() / 100)
            except TimeoutError:
                if partners:
                    with_luck = chance.choice(partners)
                    try:
                        await process.send(with_luck, "hello")
                    except process.NoSuchProcess:
                        continue

    pids: list[str] = []
    refs = set()
    for _ in range(200):
        pid, ref = await process.spawn_monitor(busy, [pids], mailbox_size=2, name=f"storm {len(pids)}")
        pids.append(pid)
        refs.add(ref)
    for _ in range(2000):
        living = [task for pid in pids if (info := process.process_info(pid)) for task in [info.task]]
        if not living:
            break
        if chance.random() < 0.5:
            chance.choice(living).cancel()
        else:
            await process.exit(chance.choice(pids), chance.choice(["kill", "shutdown", "other"]))
        if chance.random() < 0.3:
            await asyncio.sleep(0)
    for pid in pids:
        await process.exit(pid, "kill")
    while refs:
        refs.remove((await process.receive(timeout=60))[1])
    with pytest.raises(TimeoutError):
        await process.receive(timeout=0)
    assert process.processes() == [process.self()] and not process.registered()
    deaths.clear()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_starts_with_no_processes() -> None:
    """Its parent's processes do not live in it, and its pids are of its own."""
    script = """
import asyncio, os
from tablevault_ext import actors as process
async def main():
    pid = await process.spawn(asyncio.sleep, [60], name="kept")
    child = os.fork()
    if child == 0:
        clean = process.processes() == [] and process.registered() == []
        os._exit(0 if clean and process._ids.new_pid().rsplit("_", 1)[0] != pid.rsplit("_", 1)[0] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert process.is_alive(pid)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_importing_actors_imports_nothing_heavy() -> None:
    """Only the standard library and this package's shared words."""
    script = """
import sys
before = set(sys.modules)
from tablevault_ext import actors
new = {name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert new <= {"tablevault_ext"}, new
rooms = {name for name in sys.modules if name.startswith("tablevault_ext.")}
assert rooms <= {"tablevault_ext.errors"} | {n for n in rooms if n.startswith("tablevault_ext.actors")}, rooms
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_threads_spawn_in_their_own_loops() -> None:
    """Pids stay unique and each loop runs its own processes."""
    pids: list[str] = []

    async def many() -> None:
        refs = [await process.spawn_monitor(lambda: None) for _ in range(200)]
        for _ in refs:
            await process.receive(timeout=60)
        pids.extend(pid for pid, _ in refs)

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 800


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_do_not_outrun_links_and_monitors() -> None:
    """A process that is over before spawn returns is linked and monitored all the same."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
    await process.process_flag("trap_exits", True)
    pid, ref = await process.spawn_monitor(lambda: None)
    assert await process.receive(timeout=60) == ("DOWN", ref, "process", pid, "normal")
    linked = await process.spawn_link(lambda: None)
    assert await process.receive(timeout=60) == ("EXIT", linked, "normal")
    server = await gen_server.start(process.GenServer)
    await gen_server.stop(server)
