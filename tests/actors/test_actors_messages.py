"""Mailboxes, names and timers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from actor_support import down, idle, in_process, until

from tablevault_ext import actors as process


async def test_messages_arrive_in_order() -> None:
    """FIFO, any object, not copied."""
    thing: list[Any] = []
    for message in (1, "two", thing, None, (3,)):
        await process.send(process.self() or await here(), message)
    received = [await process.receive() for _ in range(5)]
    assert received == [1, "two", [], None, (3,)]
    assert received[2] is thing


async def here() -> str:
    """Make the calling test a process."""
    await process.process_flag("trap_exits", False)
    me = process.self()
    assert me is not None
    return me


async def test_a_full_mailbox_makes_senders_wait_in_line() -> None:
    """The bound is 100 by default; blocked senders are served in the order they came."""
    gate = asyncio.Event()
    got: list[int] = []

    async def slow() -> None:
        await gate.wait()
        for _ in range(106):
            got.append(await process.receive())

    pid, ref = await process.spawn_monitor(slow)
    for number in range(100):
        await process.send(pid, number)
    blocked = [asyncio.create_task(process.send(pid, 100 + number)) for number in range(5)]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in blocked)
    info = process.process_info(pid)
    assert (info.mailbox_depth, info.blocked_senders, len(info.mailbox)) == (105, 5, 100)
    gate.set()
    await asyncio.gather(*blocked)
    await process.send(pid, 105)
    assert await down(ref) == "normal"
    assert got == list(range(106))


async def test_mailbox_size_is_configurable_and_checked() -> None:
    """mailbox_size bounds; nonsense is refused at the door and starts nothing."""
    pid = await process.spawn(asyncio.sleep, [30], mailbox_size=1)
    await process.send(pid, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.send(pid, 2), 0.01)
    assert process.process_info(pid).mailbox == [1]
    for wrong in (
        {"mailbox_size": 0},
        {"mailbox": False, "trap_exits": True},
        {"args": "text"},
        {"name": ""},
        {"name": "pid_x"},
    ):
        with pytest.raises(ValueError):
            await process.spawn(idle, **wrong)
    assert len(process.processes()) == 1


@pytest.mark.filterwarnings("ignore:coroutine 'idle' was never awaited")
async def test_a_coroutine_instead_of_a_function_is_refused() -> None:
    """spawn(f()) is the classic slip; the error says what to write."""
    with pytest.raises(ValueError, match="pass the function itself"):
        await process.spawn(idle())  # type: ignore[arg-type]


async def test_a_cancelled_sender_takes_its_message_back() -> None:
    """A send that timed out while it waited for room was not delivered."""
    me = await here()
    pid = await process.spawn(idle_until_told, [me], mailbox_size=1)
    await process.send(pid, "a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.send(pid, "b"), 0.01)
    await process.send(me, "unrelated")
    assert process.process_info(pid).blocked_senders == 0


async def idle_until_told(me: str) -> None:
    await asyncio.sleep(30)


async def test_a_sender_is_not_stranded_by_the_receivers_death() -> None:
    """It gets NoSuchProcess instead of waiting for ever."""
    pid = await process.spawn(asyncio.sleep, [30], mailbox_size=1)
    await process.send(pid, 1)
    blocked = asyncio.create_task(process.send(pid, 2))
    await asyncio.sleep(0)
    await process.exit(pid, "kill")
    with pytest.raises(process.NoSuchProcess):
        await asyncio.wait_for(blocked, 60)


async def test_a_process_never_waits_for_itself() -> None:
    """A message to oneself goes over the bound."""
    me = await here()
    for number in range(250):
        await process.send(me, number)
    assert [await process.receive() for _ in range(250)] == list(range(250))


async def test_sending_to_nobody_raises() -> None:
    """Unknown pid, unknown name, ended process, process without a mailbox."""
    pid = await process.spawn(lambda: None)
    await until(lambda: not process.is_alive(pid))
    for target in (pid, "nobody", "pid_0_0"):
        with pytest.raises(process.NoSuchProcess):
            await process.send(target, "x")
    deaf = await process.spawn(asyncio.sleep, [30], mailbox=False)
    assert process.process_info(deaf).mailbox is None
    with pytest.raises(process.NoMailbox):
        await process.send(deaf, "x")


async def test_without_a_mailbox_nothing_can_be_received_or_monitored() -> None:
    """receive, monitor, spawn_monitor and trapping are refused in a process with mailbox=False."""

    async def deaf() -> None:
        for operation in (process.receive(), process.receive(timeout=0), process.monitor("x")):
            with pytest.raises(process.NoMailbox):
                await operation
        with pytest.raises(process.NoMailbox):
            await process.spawn_monitor(idle)
        with pytest.raises(ValueError):
            await process.process_flag("trap_exits", True)
        assert len(process.processes()) == 1

    await in_process(deaf, mailbox=False)


async def test_selective_receive_leaves_the_rest_in_order() -> None:
    """match= takes the first that matches, wherever it is."""
    me = await here()
    for message in (1, ("a", 1), 2, ("b", 2), ("a", 3)):
        await process.send(me, message)
    assert await process.receive(match=lambda m: m[0] == "b") == ("b", 2)
    assert await process.receive(match=lambda m: m[0] == "a") == ("a", 1)
    assert await process.receive(timeout=0, match=lambda m: m == 2) == 2
    assert [await process.receive() for _ in range(2)] == [1, ("a", 3)]


async def test_selective_receive_waits_for_what_is_to_come() -> None:
    """Messages that do not match, before and while it waits, stay."""

    async def body() -> Any:
        me = process.self()
        await process.send(me, "before")
        for delay, message in ((0.01, "during"), (0.02, ("wanted", 1))):
            await process.send_after(delay, me, message)
        wanted = await process.receive(timeout=60, match=lambda m: m[0] == "wanted")
        return wanted, await process.receive(), await process.receive()

    assert await in_process(body) == (("wanted", 1), "before", "during")


async def test_selective_receive_sees_through_a_full_mailbox() -> None:
    """The wanted message waits for room behind others: taken all the same, or nobody would ever move."""

    async def body() -> Any:
        await asyncio.sleep(0.01)
        wanted = await process.receive(timeout=60, match=lambda m: m == "wanted")
        return wanted, await process.receive(), await process.receive()

    result = asyncio.create_task(in_process(body, name="full", mailbox_size=1))
    await until(lambda: process.whereis("full"))
    await process.send("full", "first")
    second = asyncio.create_task(process.send("full", "second"))
    await asyncio.sleep(0.02)
    await asyncio.wait_for(process.send("full", "wanted"), 60)
    assert await result == ("wanted", "first", "second")
    await second


async def test_match_is_a_guard_but_not_a_hiding_place() -> None:
    """A wrong shape does not match; a real error comes out; the mailbox keeps the message."""
    me = await here()
    await process.send(me, 5)
    with pytest.raises(TimeoutError):
        await process.receive(timeout=0, match=lambda m: m[0] == "x" or m.missing)
    with pytest.raises(ZeroDivisionError):
        await process.receive(match=lambda m: 1 / 0)
    with pytest.raises(TypeError):
        await process.receive(match=idle)  # type: ignore[arg-type]
    assert await process.receive() == 5


@pytest.mark.parametrize("timeout", [0, 0.01, -1])
async def test_receive_times_out(timeout: float) -> None:
    """TimeoutError, and the next receive works."""
    me = await here()
    with pytest.raises(TimeoutError):
        await process.receive(timeout=timeout)
    await process.send(me, "x")
    assert await process.receive(timeout=timeout) == "x"


async def test_polling_does_not_starve_the_loop() -> None:
    """receive(timeout=0) in a loop, and a process that feeds itself, let others run."""
    ran = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, ran.set)

    async def poll() -> None:
        while not ran.is_set():
            with pytest.raises(TimeoutError):
                await process.receive(timeout=0)

    async def feed() -> None:
        ran.clear()
        asyncio.get_running_loop().call_later(0.01, ran.set)
        while not ran.is_set():
            await process.send(process.self(), "again")
            await process.receive()

    await in_process(poll)
    await in_process(feed)


async def test_a_cancelled_receive_loses_nothing() -> None:
    """A message that comes in the moment of a cancellation stays in the mailbox."""
    me = await here()
    for number in range(50):
        waiting = asyncio.create_task(process.receive())
        await asyncio.sleep(0)
        await process.send(me, number)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert await process.receive(timeout=0) == number


async def test_two_receives_of_one_process_share_its_mailbox() -> None:
    """Helper tasks of a process may receive at once; each message goes to one of them."""

    async def body() -> Any:
        me = process.self()
        selective = asyncio.create_task(process.receive(match=lambda m: m == "special"))
        plain = [asyncio.create_task(process.receive()) for _ in range(2)]
        timed = asyncio.create_task(process.receive(timeout=0.01))
        await asyncio.wait([timed])
        for message in ("one", "special", "two"):
            await process.send(me, message)
        return await selective, {await task for task in plain}, type(timed.exception())

    assert await asyncio.wait_for(in_process(body), 60) == ("special", {"one", "two"}, TimeoutError)


async def test_names_are_unique_cleaned_up_and_never_stolen() -> None:
    """spawn(name=) and register refuse a name in use; the end of the process frees it."""
    pid = await process.spawn(idle, name="only")
    with pytest.raises(process.NameTaken):
        await process.spawn(idle, name="only")
    with pytest.raises(process.NameTaken):
        await process.register("only", await process.spawn(idle))
    assert process.whereis("only") == pid
    with pytest.raises(ValueError, match="already registered"):
        await process.register("second", pid)
    await process.send("only", "by name")
    await process.exit(pid, "kill")
    assert process.whereis("only") is None
    again = await process.spawn(idle, name="only")
    assert process.registered() == ["only"] and process.whereis("only") == again
    await process.unregister("only")
    with pytest.raises(process.NoSuchProcess):
        await process.unregister("only")
    await process.register("other", again)
    with pytest.raises(process.NoSuchProcess):
        await process.register("third", pid)


async def test_register_defaults_to_the_caller() -> None:
    """As the document says."""

    async def body() -> Any:
        await process.register("me")
        return process.whereis("me") == process.self()

    assert await in_process(body)


async def test_self_inside_and_outside() -> None:
    """None outside, the pid inside and in helper tasks; a plain task is a process once it acts as one."""
    assert process.self() is None
    assert await in_process(pid_of_helper)
    ref = await process.monitor("nobody")
    assert process.self() is not None and process.is_alive(process.self())
    assert ref.startswith("ref_")


async def pid_of_helper() -> bool:
    async def helper() -> Any:
        return process.self()

    return process.self() is not None and await asyncio.create_task(helper()) == process.self()


async def test_pids_are_strings_that_never_repeat() -> None:
    """`pid_`, a prefix of this OS process, a counter; refs likewise."""
    pids = [await process.spawn(lambda: None) for _ in range(100)]
    assert len(set(pids)) == 100
    assert all(isinstance(pid, str) and pid.startswith("pid_") for pid in pids)
    assert len({pid.rsplit("_", 1)[0] for pid in pids}) == 1


async def test_timers() -> None:
    """send_after, read_timer and cancel_timer; seconds; a target that is gone is no error."""
    me = await here()
    ref = await process.send_after(0.01, me, "tick")
    assert await process.receive(timeout=60) == "tick"
    assert process.read_timer(ref) is None and await process.cancel_timer(ref) is None
    long = await process.send_after(600, me, "never")
    assert 500 < (process.read_timer(long) or 0) <= 600
    assert 500 < (await process.cancel_timer(long) or 0) <= 600
    assert process.read_timer(long) is None
    ghost = await process.send_after(0, "nobody", "x")
    await until(lambda: process.read_timer(ghost) is None)
    with pytest.raises(ValueError):
        await process.send_after(-1, me, "x")


async def test_a_timer_waits_for_room_like_any_sender() -> None:
    """Its message keeps its place behind a full mailbox."""
    gate = asyncio.Event()

    async def body() -> Any:
        await gate.wait()
        return [await process.receive(), await process.receive()]

    result = asyncio.create_task(in_process(body, name="busy", mailbox_size=1))
    await until(lambda: process.whereis("busy"))
    await process.send("busy", "first")
    await process.send_after(0, "busy", "tick")
    await until(lambda: process.process_info(process.whereis("busy")).blocked_senders == 1)
    gate.set()
    assert await result == ["first", "tick"]


async def test_atoms() -> None:
    """Atoms equal the document's strings."""
    assert process.NORMAL == "normal" and process.atom("x") is process.atom("x")
    assert process.DOWN == "DOWN" and process.EXIT == "EXIT"
