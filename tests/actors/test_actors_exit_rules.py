"""The exit rules of OTP as a table; each row is a test. Source: Erlang reference manual, "Processes", "Errors"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from actor_support import Boom, crash, down, idle, in_process, until

from tablevault_ext import actors as process

BOOM = Boom("the reason")
LIVES = object()


def gets(reason: Any) -> tuple[str, Any]:
    return ("message", reason)


def dies(reason: Any) -> tuple[str, Any]:
    return ("dies", reason)


async def raises(reason: Any) -> None:
    raise reason


async def ends_with(reason: Any) -> None:
    if reason != "normal":
        raise process.ProcessExit(reason)


async def exit_signal(target: str, reason: Any) -> None:
    await process.exit(target, reason)


# how the signal comes · its reason · does the target trap exits · what becomes of the target
RULES = [
    ("exit/2", "normal", False, LIVES),
    ("exit/2", "shutdown", False, dies("shutdown")),
    ("exit/2", "other", False, dies("other")),
    ("exit/2", ("a", "term"), False, dies(("a", "term"))),
    ("exit/2", BOOM, False, dies(BOOM)),
    ("exit/2", "kill", False, dies("killed")),
    ("exit/2", "killed", False, dies("killed")),
    ("exit/2", "normal", True, gets("normal")),
    ("exit/2", "shutdown", True, gets("shutdown")),
    ("exit/2", "other", True, gets("other")),
    ("exit/2", BOOM, True, gets(BOOM)),
    ("exit/2", "kill", True, dies("killed")),
    ("exit/2", "killed", True, gets("killed")),
    ("link, partner returns", "normal", False, LIVES),
    ("link, partner returns", "normal", True, gets("normal")),
    ("link, partner raises", BOOM, False, dies(BOOM)),
    ("link, partner raises", BOOM, True, gets(BOOM)),
    ("link, partner exits", "shutdown", False, dies("shutdown")),
    ("link, partner exits", "shutdown", True, gets("shutdown")),
    # `kill` is untrappable only as the reason of exit/2; over a link it is a reason like any other.
    ("link, partner exits", "kill", False, dies("kill")),
    ("link, partner exits", "kill", True, gets("kill")),
    ("link, partner is killed", "kill", False, dies("killed")),
    ("link, partner is killed", "kill", True, gets("killed")),
    ("link to a dead pid", "noproc", False, dies("noproc")),
    ("link to a dead pid", "noproc", True, gets("noproc")),
    ("exit/2 to itself", "normal", False, dies("normal")),
    ("exit/2 to itself", "other", False, dies("other")),
    ("exit/2 to itself", "kill", False, dies("killed")),
    ("exit/2 to itself", "normal", True, gets("normal")),
    ("exit/2 to itself", "other", True, gets("other")),
    ("exit/2 to itself", "kill", True, dies("killed")),
]


async def target_of_rules(how: str, reason: Any, ready: asyncio.Future[Any]) -> None:
    """The process the rule is about: makes its link if the rule needs one, then keeps what it receives."""
    source = None
    kept: list[Any] = []
    ready.set_result(kept)
    if how == "link, partner returns" or how == "link, partner exits":
        source = await process.spawn_link(ends_with, [reason])
    elif how == "link, partner raises":
        source = await process.spawn_link(raises, [reason])
    elif how == "link, partner is killed":
        source = await process.spawn_link(idle)
        await process.exit(source, "kill")
    elif how == "link to a dead pid":
        source = await process.spawn(ends_with, ["normal"])
        await until(lambda: not process.is_alive(source))
        await process.link(source)
    elif how == "exit/2 to itself":
        source = process.self()
        await process.exit(process.self(), reason)
    while True:
        message = await process.receive()
        kept.append((message, source))


@pytest.mark.parametrize(
    ("how", "reason", "trap", "outcome"), RULES, ids=[f"{r[0]}-{r[1]}-{'traps' if r[2] else 'plain'}" for r in RULES]
)
async def test_rule(how: str, reason: Any, trap: bool, outcome: Any) -> None:
    """What the table says becomes of a process that meets an exit signal."""
    ready = asyncio.get_running_loop().create_future()
    pid, ref = await process.spawn_monitor(target_of_rules, [how, reason, ready], trap_exits=trap)
    kept = await ready
    if how == "exit/2":
        await until(lambda: process.process_info(pid).status == "waiting")
        await process.exit(pid, reason)
    if outcome is LIVES:
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0.02)
        assert process.is_alive(pid)
        assert kept == []
    elif outcome[0] == "dies":
        assert await down(ref) == outcome[1]
        assert kept == []
    else:
        await until(lambda: kept)
        message, source = kept[0]
        assert message == ("EXIT", source or process.self(), outcome[1])
        assert type(message) is tuple and len(kept) == 1
        assert process.is_alive(pid)


async def test_abnormal_exits_propagate_transitively() -> None:
    """a – b – c – d in a chain of links: all end with the reason of the one that failed."""

    async def member(depth: int) -> None:
        if depth:
            await process.spawn_link(member, [depth - 1])
            await idle()
        raise BOOM

    refs = []

    async def first() -> None:
        await member(5)

    _, ref = await process.spawn_monitor(first)
    refs.append(ref)
    assert await down(ref) is BOOM
    await until(lambda: process.processes() == [process.self()])


async def test_a_trapping_process_keeps_links_name_and_monitors() -> None:
    """What a trapping process survives costs it only the link to the one that died."""

    async def trapper(told: asyncio.Future[str]) -> None:
        await process.spawn_link(idle, name="kept")
        await process.spawn_link(crash)
        message = await process.receive()
        told.set_result(message[0])
        await idle()

    told = asyncio.get_running_loop().create_future()
    pid, ref = await process.spawn_monitor(trapper, [told], name="trapper", trap_exits=True)
    assert await told == "EXIT"
    info = process.process_info(pid)
    assert process.whereis("trapper") == pid
    assert info.links == {process.whereis("kept")}
    assert ref in info.monitors and info.monitors[ref] == process.self()
    with pytest.raises(TimeoutError):
        await process.receive(timeout=0)


async def test_monitor_of_a_dead_pid_gives_noproc_at_once() -> None:
    """DOWN with 'noproc', for a pid and for a name that never was."""
    pid = await process.spawn(ends_with, ["normal"])
    await until(lambda: not process.is_alive(pid))
    ref = await process.monitor(pid)
    assert await process.receive(timeout=0) == ("DOWN", ref, "process", pid, "noproc")
    ref = await process.monitor("nobody")
    assert await process.receive(timeout=0) == ("DOWN", ref, "process", "nobody", "noproc")


@pytest.mark.parametrize(
    ("body", "args", "reason"),
    [(ends_with, ["normal"], "normal"), (raises, [BOOM], BOOM), (ends_with, ["shutdown"], "shutdown")],
)
async def test_down_is_always_five_long_and_carries_the_reason(
    body: Callable[..., Awaitable[None]], args: list[Any], reason: Any
) -> None:
    """('DOWN', ref, 'process', pid, reason), a plain tuple whose tags equal plain strings."""
    pid, ref = await process.spawn_monitor(body, args)
    message = await process.receive(timeout=60)
    assert message == ("DOWN", ref, "process", pid, reason)
    assert type(message) is tuple and message[4] is reason


async def test_each_monitor_has_its_own_ref_and_message() -> None:
    """Monitoring twice gives two refs and two DOWNs; links do not add up."""
    pid = await process.spawn(idle)
    first, second = await process.monitor(pid), await process.monitor(pid)
    assert first != second
    await process.link(pid)
    await process.link(pid)
    await process.unlink(pid)
    await process.exit(pid, "gone")
    assert [(await process.receive(timeout=60))[1] for _ in range(2)] == [first, second]


async def test_demonitor_and_its_flush() -> None:
    """After demonitor no DOWN arrives; with flush the one that has arrived is removed and nothing else."""
    pid = await process.spawn(idle)
    ref = await process.monitor(pid)
    assert await process.demonitor(ref)
    await process.exit(pid, "gone")
    late = await process.monitor(pid)
    await process.send(process.self(), "other")
    await process.demonitor(late)
    assert await process.receive(timeout=0) == ("DOWN", late, "process", pid, "noproc")
    flushed = await process.monitor(pid)
    await process.demonitor(flushed, flush=True)
    assert await process.receive(timeout=0) == "other"
    with pytest.raises(TimeoutError):
        await process.receive(timeout=0)
    assert await process.demonitor("ref_never_was") is True


async def test_unlink_stops_exit_signals() -> None:
    """An unlinked partner's end is nobody's business."""

    async def body() -> None:
        pid = await process.spawn_link(idle)
        await process.unlink(pid)
        await process.exit(pid, "gone")
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0.01)

    await in_process(body)


async def test_exit_always_succeeds() -> None:
    """exit/2 to a pid that has ended or never was is no error."""
    pid = await process.spawn(ends_with, ["normal"])
    await until(lambda: not process.is_alive(pid))
    assert await process.exit(pid, "again") is True
    assert await process.exit("pid_nobody", "x") is True


async def test_process_flag_returns_the_old_value() -> None:
    """process_flag switches trapping on and off in a living process."""

    async def body() -> None:
        assert await process.process_flag("trap_exits", True) is False
        await process.spawn_link(crash)
        assert (await process.receive(timeout=60))[0] == "EXIT"
        assert await process.process_flag("trap_exit", False) is True

    await in_process(body)


@pytest.mark.parametrize("reason", ["kill", "stop it"])
async def test_a_process_that_swallows_cancellation_is_ended_or_reported(
    reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its watchers hear DOWN although its code goes on, and the log says so."""
    monkeypatch.setattr("tablevault_ext.actors._signals.EXIT_GRACE", 0.05)
    done = False

    async def stubborn() -> None:
        while not done:
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                continue

    pid, ref = await process.spawn_monitor(stubborn, name="stubborn")
    await asyncio.sleep(0)
    await process.exit(pid, reason)
    assert not process.is_alive(pid)
    assert await down(ref) == ("killed" if reason == "kill" else reason)
    assert "swallows every cancellation" in caplog.text
    done = True


async def test_a_process_that_swallows_its_end_at_receive_does_not_spin() -> None:
    """A receive loop under `except BaseException` is declared dead, and the loop stays responsive meanwhile."""
    tries = 0
    done = False

    async def stubborn() -> None:
        nonlocal tries
        while not done:
            try:
                await process.receive()
            except BaseException:
                tries += 1

    pid, ref = await process.spawn_monitor(stubborn)
    await asyncio.sleep(0)
    await process.exit(pid, "kill")
    assert await down(ref) == "killed"
    assert tries < 1000
    done = True


async def test_finally_blocks_run_before_the_watchers_hear() -> None:
    """DOWN means gone: also an asynchronous cleanup has finished, its sends have arrived."""
    me = await process.register("watcher") and process.self()

    async def tidy() -> None:
        try:
            await idle()
        finally:
            for _ in range(10):  # no seconds: a loop that is held up for longer than the grace would end it here
                await asyncio.sleep(0)
            await process.send(me, "cleaned up")

    pid, ref = await process.spawn_monitor(tidy)
    await asyncio.sleep(0)
    await process.exit(pid, "shutdown")
    assert await process.receive(timeout=60) == "cleaned up"
    assert await process.receive(timeout=60) == ("DOWN", ref, "process", pid, "shutdown")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError("own")])
async def test_no_exception_of_an_actor_reaches_the_loop(
    error: BaseException, deaths: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SystemExit and the like are reasons as any other exception (KeyboardInterrupt where a kernel runs the loop)."""
    monkeypatch.setitem(__import__("sys").modules, "ipykernel", object())
    _, ref = await process.spawn_monitor(crash, [error])
    assert await down(ref) is error
    deaths.clear()


async def test_a_process_told_to_exit_before_its_first_step_never_runs() -> None:
    """And its end is noticed all the same."""
    ran = []
    pid, ref = await process.spawn_monitor(ran.append, ["ran"], name="early")
    await process.exit(pid, "early")
    assert not process.is_alive(pid) and process.whereis("early") is None
    assert await down(ref) == "early"
    assert ran == []


async def test_unobserved_errors_are_logged_and_observed_ones_are_not(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody watches: the log has the traceback. Somebody watches: the DOWN message is the report."""
    pid = await process.spawn(crash, name="lonely")
    await until(lambda: not process.is_alive(pid))
    assert "lonely" in caplog.text and "Boom" in caplog.text
    caplog.clear()
    _, ref = await process.spawn_monitor(crash)
    await down(ref)
    assert caplog.text == ""
