"""Actors against a bare asyncio task and queue: `python -m tests.benchmarks.bench_actors [runs]`.

Prints, for each kind of work, the median of the ratios of paired runs (ours / bare, alternating which goes first), and
the goal. The reference is what one would write without actors: `asyncio.create_task` and `asyncio.Queue(100)`.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from itertools import pairwise

from tablevault_ext import actors as process

Work = Callable[[], Awaitable[float]]
SPAWNS, MESSAGES, RING, ROUNDS, CALLS, IDLE = 10_000, 100_000, 1_000, 10, 20_000, 5_000


async def bare_spawn() -> float:
    async def body(queue: asyncio.Queue[object]) -> None:
        pass

    began = time.perf_counter()
    await asyncio.gather(*[asyncio.create_task(body(asyncio.Queue(100))) for _ in range(SPAWNS)])
    return time.perf_counter() - began


async def our_spawn() -> float:
    async def body() -> None:
        pass

    began = time.perf_counter()
    for _ in range(SPAWNS - 1):
        await process.spawn(body)
    _last, ref = await process.spawn_monitor(body)
    await process.receive(match=lambda message: message[1] == ref)
    return time.perf_counter() - began


async def bare_one_way() -> float:
    queue: asyncio.Queue[int] = asyncio.Queue(100)

    async def consume() -> None:
        for _ in range(MESSAGES):
            await queue.get()

    began = time.perf_counter()
    consumer = asyncio.create_task(consume())
    for number in range(MESSAGES):
        await queue.put(number)
    await consumer
    return time.perf_counter() - began


async def our_one_way() -> float:
    async def consume() -> None:
        for _ in range(MESSAGES):
            await process.receive()

    began = time.perf_counter()
    consumer, _ = await process.spawn_monitor(consume)
    for number in range(MESSAGES):
        await process.send(consumer, number)
    await process.receive()
    return time.perf_counter() - began


async def bare_ring() -> float:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(100) for _ in range(RING)]

    async def node(place: int) -> None:
        mine, following = queues[place], queues[(place + 1) % RING]
        for _ in range(ROUNDS):
            await following.put(await mine.get() + 1)

    nodes = [asyncio.create_task(node(place)) for place in range(RING)]
    await asyncio.sleep(0)
    began = time.perf_counter()
    await queues[0].put(0)
    await asyncio.gather(*nodes)
    return time.perf_counter() - began


async def our_ring() -> float:
    async def node() -> None:
        following = await process.receive()
        for _ in range(ROUNDS):
            await process.send(following, await process.receive() + 1)

    async def last() -> None:
        following, first = await process.receive()
        for _ in range(ROUNDS - 1):
            await process.send(following, await process.receive() + 1)
        await process.send(first, await process.receive())

    pids = [await process.spawn(node) for _ in range(RING - 1)]
    pids.append(await process.spawn(last))
    for pid, following in pairwise(pids):
        await process.send(pid, following)
    await process.register("ring")
    await process.send(pids[-1], (pids[0], "ring"))
    await asyncio.sleep(0)
    began = time.perf_counter()
    await process.send(pids[0], 0)
    await process.receive()
    took = time.perf_counter() - began
    await process.unregister("ring")
    return took


async def bare_request() -> float:
    requests: asyncio.Queue[tuple[asyncio.Queue[int], int]] = asyncio.Queue(100)

    async def serve() -> None:
        for _ in range(CALLS):
            sender, number = await requests.get()
            await sender.put(number)

    server = asyncio.create_task(serve())
    replies: asyncio.Queue[int] = asyncio.Queue(100)
    began = time.perf_counter()
    for number in range(CALLS):
        await requests.put((replies, number))
        await replies.get()
    took = time.perf_counter() - began
    await server
    return took


async def our_request() -> float:
    async def serve() -> None:
        for _ in range(CALLS):
            sender, number = await process.receive()
            await process.send(sender, number)

    await process.register("asker")
    me = process.self()
    server = await process.spawn(serve)
    began = time.perf_counter()
    for number in range(CALLS):
        await process.send(server, (me, number))
        await process.receive()
    return time.perf_counter() - began


async def bare_memory() -> float:
    async def body(queue: asyncio.Queue[object]) -> None:
        await queue.get()

    gc.collect()
    tracemalloc.start()
    tasks = [asyncio.create_task(body(asyncio.Queue(100))) for _ in range(IDLE)]
    await asyncio.sleep(0)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return size / IDLE


async def our_memory() -> float:
    async def body() -> None:
        await process.receive()

    gc.collect()
    tracemalloc.start()
    pids = [await process.spawn(body) for _ in range(IDLE)]
    await asyncio.sleep(0)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for pid in pids:
        await process.exit(pid, "shutdown")
    while process.processes():
        await asyncio.sleep(0.01)
    return size / IDLE


async def live(count: int) -> tuple[float, float]:
    """Seconds and bytes a process, to spawn so many, send each one message, and have all of them end."""

    async def body() -> None:
        await process.receive()

    gc.collect()
    tracemalloc.start()
    pids = [await process.spawn(body) for _ in range(count)]
    await asyncio.sleep(0)
    size = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    assert len(process.processes()) >= count
    began = time.perf_counter()
    more = [await process.spawn(body) for _ in range(count)]
    for pid in pids + more:
        await process.send(pid, "end")
    while len(process.processes()) > 1:
        await asyncio.sleep(0)
    return (time.perf_counter() - began) / count, size


TABLE: list[tuple[str, Work, Work, float]] = [
    (f"spawn + exit, {SPAWNS:,}", bare_spawn, our_spawn, 1.0),
    (f"one way, {MESSAGES:,} messages, bounded", bare_one_way, our_one_way, 0.8),
    (f"ring of {RING:,} × {ROUNDS}", bare_ring, our_ring, 1.1),
    (f"request and reply, {CALLS:,}", bare_request, our_request, 1.1),
    ("memory of an idle process", bare_memory, our_memory, 0.6),
]


def paired(bare: Work, ours: Work, runs: int) -> tuple[float, float, float]:
    ratios, bares, mine = [], [], []
    for turn in range(runs + 1):
        results = {}
        for work in (bare, ours) if turn % 2 else (ours, bare):
            gc.collect()
            results[work] = asyncio.run(work())  # type: ignore[arg-type]
        if turn:  # the first pair warms up
            ratios.append(results[ours] / results[bare])
            bares.append(results[bare])
            mine.append(results[ours])
    return statistics.median(ratios), statistics.median(bares), statistics.median(mine)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(f"medians of {runs} paired runs, Python {sys.version.split()[0]}")
    for name, bare, ours, goal in TABLE:
        ratio, reference, own = paired(bare, ours, runs)
        unit = "bytes" if "memory" in name else "s"
        print(f"{name:40} {ratio:5.2f} ×  (goal ≤ {goal})   {own:.4g} {unit} against {reference:.4g}")
    for count in (25_000, 50_000, 100_000):
        seconds, size = asyncio.run(live(count))
        print(f"{count:>7,} live processes: {1e6 * seconds:6.2f} µs and {size:6.0f} bytes each")


if __name__ == "__main__":
    main()
