"""The examples of the document "Process Operations", verbatim: in a process, and at the top level of a script.

`document_examples.md` holds the blocks. A prelude defines what the document leaves to the reader.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import CoroutineType
from typing import Any

import pytest
from actor_support import Boom, idle, in_process, until

from tablevault_ext import actors as process

TEXT = Path(__file__).with_name("document_examples.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## (.*?)\n+```python\n(.*?)^```", TEXT, re.S | re.M)

Names = dict[str, Any]


async def execute(title: str, names: Names) -> None:
    """Run a block; its top-level awaits belong to whoever awaits this. The names it makes stay in `names`."""
    (source,) = [source for heading, source in BLOCKS if heading == title]
    code = compile(source, title, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if isinstance(result, CoroutineType):
        await result


async def signature(title: str, names: Names) -> None:
    """The blocks that show a signature run as they stand, with what their names stand for defined."""
    await prepare(title, names)
    await execute(title, names)
    await CHECKS.get(title, nothing)(names)


async def nothing(names: Names) -> None:
    pass


async def func() -> None:
    await process.receive()


async def prepare(title: str, names: Names) -> None:
    names.update(func=func, args=None, kwargs=None, name="a_name", message=("hello", 1), reason="shutdown")
    pid = await process.spawn(idle)
    names.update(pid=pid, target=pid)
    if title == "receive()":
        await process.register("me")
        await process.send("me", "a message")
    elif title == "demonitor()":
        names["ref"] = await process.monitor(pid)
    elif title == "unlink()":
        await process.link(pid)
    elif title == "unregister()" or title == "whereis()":
        await process.register("a_name", pid)
    elif title == "exit()":
        names["watch"] = await process.monitor(pid)


async def check_spawn(names: Names) -> None:
    assert process.is_alive(names["pid"]) and names["pid"].startswith("pid_")


async def check_spawn_link(names: Names) -> None:
    assert names["pid"] in process.process_info().links
    await process.unlink(names["pid"])


async def check_spawn_monitor(names: Names) -> None:
    await process.send(names["pid"], "end")
    assert await process.receive(timeout=60) == ("DOWN", names["ref"], "process", names["pid"], "normal")


async def check_receive(names: Names) -> None:
    assert names["msg"] == "a message"


async def check_link(names: Names) -> None:
    assert names["pid"] in process.process_info().links
    await process.unlink(names["pid"])


async def check_unlink(names: Names) -> None:
    assert not process.process_info().links


async def check_monitor(names: Names) -> None:
    await process.exit(names["pid"], "gone")
    assert await process.receive(timeout=60) == ("DOWN", names["ref"], "process", names["pid"], "gone")


async def check_demonitor(names: Names) -> None:
    assert not process.process_info().monitoring


async def check_register(names: Names) -> None:
    assert process.whereis("a_name") == process.self()


async def check_unregister(names: Names) -> None:
    assert process.whereis("a_name") is None


async def check_whereis(names: Names) -> None:
    assert process.whereis("a_name") == names["pid"]


async def check_registered(names: Names) -> None:
    assert names["names"] == process.registered()


async def check_is_alive(names: Names) -> None:
    assert names["alive"] is True


async def check_processes(names: Names) -> None:
    assert names["pid"] in names["pids"]


async def check_exit(names: Names) -> None:
    assert (await process.receive(timeout=60))[4] == "shutdown"


CHECKS: dict[str, Callable[[Names], Awaitable[None]]] = {
    "spawn()": check_spawn,
    "spawn_link()": check_spawn_link,
    "spawn_monitor()": check_spawn_monitor,
    "receive()": check_receive,
    "link()": check_link,
    "unlink()": check_unlink,
    "monitor()": check_monitor,
    "demonitor()": check_demonitor,
    "register()": check_register,
    "unregister()": check_unregister,
    "whereis()": check_whereis,
    "registered()": check_registered,
    "is_alive()": check_is_alive,
    "processes()": check_processes,
    "exit()": check_exit,
}
SIGNATURES = [title for title, _ in BLOCKS if title.endswith("()")]
EXAMPLES = ["Process Context", "Worker Pool", "Monitor Pattern", "Link for Cleanup"]
EXAMPLES += ["Process Discovery", "Message Tracing", "Monitoring Health"]


def test_every_block_of_the_document_is_run() -> None:
    """No block of the fixture is without its test."""
    assert len(SIGNATURES) == 17 and [title for title, _ in BLOCKS if title not in SIGNATURES] == EXAMPLES


@pytest.mark.parametrize("title", SIGNATURES)
async def test_signature_in_a_process(title: str) -> None:
    """Inside a spawned process."""
    await in_process(signature, title, {"process": process})


@pytest.mark.parametrize("title", SIGNATURES)
async def test_signature_at_the_top_level(title: str) -> None:
    """In the main coroutine of a script, which acts as a process."""
    await signature(title, {"process": process})


async def test_process_context() -> None:
    """self() inside a process and outside."""

    async def inside() -> Any:
        names = {"process": process}
        await execute("Process Context", names)
        return names["pid"], process.self()

    assert len(set(await in_process(inside))) == 1
    names = {"process": process}
    await execute("Process Context", names)
    assert names["pid"] is None


async def test_worker_pool() -> None:
    """Ten named workers share the work."""
    done: list[int] = []

    async def worker_func() -> None:
        while True:
            done.append(await process.receive())

    names: Names = {"process": process, "worker_func": worker_func, "work": list(range(25))}
    await execute("Worker Pool", names)
    await until(lambda: sorted(done) == list(range(25)))
    assert [process.whereis(f"worker_{i}") for i in range(10)] == names["workers"]


@pytest.mark.parametrize("top_level", [False, True])
@pytest.mark.parametrize("fails", [False, True])
async def test_monitor_pattern(top_level: bool, fails: bool) -> None:
    """The reason in DOWN is the exception itself; a result comes as a message."""
    failure = Boom("risky")
    names: Names = {"process": process, "handle_failure": lambda reason: ("failed", reason)}

    async def risky_operation() -> None:
        if fails:
            raise failure
        await process.send(names["watcher"], ("result", 42))
        await idle()

    names["risky_operation"] = risky_operation
    await execute("Monitor Pattern", names)

    async def body() -> Any:
        await process.process_flag("trap_exits", False)
        names["watcher"] = process.self()
        return await names["monitored_operation"]()

    result = await (body() if top_level else in_process(body))
    assert result == (("failed", failure) if fails else 42)


@pytest.mark.parametrize("top_level", [False, True])
async def test_link_for_cleanup(top_level: bool) -> None:
    """The resource manager answers, and dies with its user."""
    names: Names = {"process": process, "data": "some data"}
    seen: list[Any] = []

    async def resource_manager() -> None:
        tag, data = await process.receive()
        seen.append((tag, data))
        (user,) = process.process_info().links
        await process.send(user, "answer")
        await idle()

    names["resource_manager"] = resource_manager
    await execute("Link for Cleanup", names)
    if top_level:
        await names["with_resource"]()
        (pid,) = process.process_info().links
        await process.unlink(pid)
        assert seen == [("query", "some data")]
        return

    async def user() -> None:
        await names["with_resource"]()
        raise process.ProcessExit("user dies")

    _, ref = await process.spawn_monitor(user)
    assert (await process.receive(timeout=60))[1:] == (ref, "process", _, "user dies")
    await until(lambda: process.processes() == [process.self()])
    assert seen == [("query", "some data")]


async def test_process_discovery(capsys: pytest.CaptureFixture[str]) -> None:
    """Lists every process and finds one by name."""
    pid = await process.spawn(idle, name="database")
    await execute("Process Discovery", {"process": process})
    assert capsys.readouterr().out == f"Process: {pid}\nDatabase running: {pid}\n"


async def test_message_tracing(capsys: pytest.CaptureFixture[str]) -> None:
    """A process that prints what it receives."""
    names: Names = {"process": process}
    await execute("Message Tracing", names)
    pid = await process.spawn(names["traced_process"])
    await process.send(pid, {"any": "object"})
    await until(lambda: process.process_info(pid).reductions == 2)
    assert capsys.readouterr().out == f"[{pid}] Received: {{'any': 'object'}}\n"


async def test_monitoring_health(capsys: pytest.CaptureFixture[str]) -> None:
    """Refs as keys, DOWN with the reason."""
    names: Names = {"process": process}
    await execute("Monitoring Health", names)
    target = await process.spawn(idle)
    monitor = await process.spawn(names["health_monitor"], args=[[target]])
    await until(lambda: process.process_info(monitor).status == "waiting")
    await process.exit(target, "unwell")
    await until(lambda: process.process_info(monitor).reductions == 2)
    assert capsys.readouterr().out == f"Process {target} died: unwell\n"


def test_the_main_coroutine_of_a_script_acts_as_a_process() -> None:
    """asyncio.run(main()) where main itself links, monitors and receives."""

    async def main() -> Any:
        pid, ref = await process.spawn_monitor(asyncio.sleep, [0])
        return await process.receive(timeout=60) == ("DOWN", ref, "process", pid, "normal")

    assert asyncio.run(main()) is True
