"""What the actor tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tablevault_ext import actors as process


class Boom(Exception):
    """The one error that a test may let an actor die of; any other fails the test."""


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Let the loop run until the condition holds; fail if it does not in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.001)


async def idle() -> None:
    """The body of a process that lives until it is told to end."""
    while True:
        await process.receive()


async def crash(error: BaseException | None = None) -> None:
    """The body of a process that ends at once with an error."""
    raise error or Boom("crashed")


async def down(ref: str, seconds: float = 60.0) -> Any:
    """The reason in the DOWN message of that monitor."""
    message = await process.receive(timeout=seconds, match=lambda m: m[0] == "DOWN" and m[1] == ref)
    assert len(message) == 5 and message[2] == "process"
    return message[4]


async def in_process(body: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Run a coroutine function as a process and return its result; what it raises fails the caller."""
    result = asyncio.get_running_loop().create_future()

    async def run() -> None:
        try:
            value = await body(*args)
        except BaseException as error:
            if not result.done():
                result.set_exception(AssertionError(repr(error)).with_traceback(error.__traceback__))
            raise
        result.set_result(value)

    await process.spawn(run, **options)
    return await asyncio.wait_for(result, 120)
