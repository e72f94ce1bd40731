"""gen_server, against OTP's description of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from actor_support import Boom, down, in_process, until

from tablevault_ext import actors as process
from tablevault_ext.actors import GenServer, gen_server
from tablevault_ext.actors.gen_server import NoReply, Reply, Stop


class Counter(GenServer):
    """Does what it is asked to."""

    async def init(self, start: int = 0, log: list[Any] | None = None) -> Any:
        self.value = start
        self.log: list[Any] = [] if log is None else log
        if start < 0:
            raise Boom("negative")
        if start == 13:
            return Stop("unlucky")
        return None

    async def handle_call(self, request: Any, from_: gen_server.From) -> Any:
        match request:
            case "next":
                self.value += 1
                return self.value
            case "none":
                return Reply(None)
            case "later":
                await process.spawn(gen_server.reply, [from_, "late answer"])
                return NoReply()
            case "never":
                return NoReply()
            case "crash":
                raise Boom("in handle_call")
            case "stop with reply":
                return Stop("normal", reply="bye")
            case "stop":
                return Stop("shutdown")
            case "quiet":
                return Reply("ok", timeout=0.01)
            case "log":
                return list(self.log)
            case _:
                return await super().handle_call(request, from_)

    async def handle_cast(self, request: Any) -> Any:
        self.log.append(("cast", request))
        return request if request in ("bad return",) else None

    async def handle_info(self, message: Any) -> Any:
        self.log.append(("info", message))

    async def terminate(self, reason: Any) -> None:
        self.log.append(("terminate", reason))


class Trapping(Counter):
    trap_exits = True


async def test_call_cast_info() -> None:
    """A call is answered, a cast is not, anything else is info; all in order; None can be an answer."""
    pid = await gen_server.start(Counter, [41], name="counter")
    assert await gen_server.call("counter", "next") == 42
    assert await gen_server.call(pid, "none") is None
    await gen_server.cast(pid, "a")
    await process.send(pid, "b")
    assert await gen_server.call(pid, "log") == [("cast", "a"), ("info", "b")]
    assert await in_process(gen_server.call, pid, "next") == 43


async def test_a_reply_may_come_later_and_from_elsewhere() -> None:
    """NoReply now, reply() from another process."""
    pid = await gen_server.start(Counter)
    assert await gen_server.call(pid, "later", timeout=60) == "late answer"


async def test_call_times_out_and_the_late_reply_is_dropped() -> None:
    """No stray message is left in the caller's mailbox (OTP: process aliases)."""
    pid = await gen_server.start(Counter)

    async def caller() -> Any:
        with pytest.raises(TimeoutError):
            await gen_server.call(pid, "never", timeout=0.01)
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)

    await in_process(caller)
    assert not gen_server._calls


async def test_call_of_a_server_that_dies_or_is_dead() -> None:
    """ServerDied with the reason, NoSuchProcess, never a hang; a cast to the dead is silent as in OTP."""
    pid = await gen_server.start(Counter)
    with pytest.raises(process.ServerDied) as caught:
        await gen_server.call(pid, "crash")
    assert isinstance(caught.value.reason, Boom) and caught.value.__cause__ is caught.value.reason
    with pytest.raises(process.NoSuchProcess):
        await gen_server.call(pid, "next")
    await gen_server.cast(pid, "x")


async def test_a_server_cannot_call_itself() -> None:
    """It would wait for itself; refused with words."""

    class Selfish(GenServer):
        async def handle_call(self, request: Any, from_: Any) -> Any:
            with pytest.raises(ValueError, match="call itself"):
                await gen_server.call(process.self() or "", "x")
            return "fine"

    assert await gen_server.call(await gen_server.start(Selfish), "x") == "fine"


@pytest.mark.parametrize("ending", ["crash", "stop", "stop with reply", "gen_server.stop", "bad return"])
async def test_terminate_is_called_with_the_reason(ending: str) -> None:
    """On a crash, on Stop, on gen_server.stop and on a bad return value; the exit reason is the same."""
    log: list[Any] = []
    pid = await gen_server.start(Counter, kwargs={"log": log})
    ref = await process.monitor(pid)
    if ending == "gen_server.stop":
        await gen_server.stop(pid, "shutdown", timeout=60)
    elif ending == "bad return":
        await gen_server.cast(pid, "bad return")
    elif ending == "stop with reply":
        assert await gen_server.call(pid, ending) == "bye"
    else:
        with pytest.raises(process.ServerDied):
            await gen_server.call(pid, ending)
    reason = await down(ref)
    assert [entry[1] for entry in log if entry[0] == "terminate"] == [reason]
    expected = {"stop": "shutdown", "stop with reply": "normal", "gen_server.stop": "shutdown"}
    if ending in expected:
        assert reason == expected[ending]


async def test_exit_signals_and_terminate() -> None:
    """A server that does not trap dies without terminate; one that traps terminates when its parent ends."""
    log: list[Any] = []
    pid = await gen_server.start(Counter, kwargs={"log": log})
    ref = await process.monitor(pid)
    await process.exit(pid, "other")
    assert await down(ref) == "other" and log == []

    async def parent() -> None:
        await gen_server.start_link(Trapping, kwargs={"log": log}, name="child")
        raise process.ProcessExit("parent is done")

    await process.spawn(parent)
    await until(lambda: log and not process.whereis("child"))
    assert log == [("terminate", "parent is done")]


async def test_a_failed_init_leaves_nothing() -> None:
    """What init raises is raised by start; Stop from init is ServerDied; the linked starter gets no exit signal."""
    with pytest.raises(Boom, match="negative"):
        await gen_server.start(Counter, [-1], name="failed")
    with pytest.raises(process.ServerDied, match="unlucky"):
        await gen_server.start(Counter, [13])

    async def starter() -> str:
        with pytest.raises(Boom):
            await gen_server.start_link(Counter, [-1])
        await asyncio.sleep(0.01)
        return "still here"

    assert await in_process(starter) == "still here"
    assert process.whereis("failed") is None
    with pytest.raises(ValueError):
        await gen_server.start(dict)  # type: ignore[arg-type]


async def test_a_slow_init_times_out_and_is_killed() -> None:
    """start(timeout=) raises TimeoutError and no half-started server remains."""

    class Slow(GenServer):
        async def init(self) -> None:
            await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        await gen_server.start(Slow, timeout=0.01, name="slow")
    assert process.whereis("slow") is None


async def test_silence_timeout() -> None:
    """A timeout in the answer comes as the info 'timeout'; any message before it cancels it."""
    pid = await gen_server.start(Counter)
    assert await gen_server.call(pid, "quiet") == "ok"
    await until(lambda: process.process_info(pid).status == "waiting")
    for _ in range(1000):
        log = await gen_server.call(pid, "log")
        if log:
            break
        await gen_server.call(pid, "quiet")
        await asyncio.sleep(0.02)
    assert log[0] == ("info", "timeout")


async def test_stop_reports_another_reason() -> None:
    """gen_server.stop raises if the server ended otherwise, or is not there."""

    class Fails(GenServer):
        async def terminate(self, reason: Any) -> None:
            raise Boom("in terminate")

    with pytest.raises(process.ServerDied):
        await gen_server.stop(await gen_server.start(Fails))
    with pytest.raises(process.NoSuchProcess):
        await gen_server.stop("nobody")
