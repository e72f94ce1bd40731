"""Launching against the standard library, in pairs measured one after the other: medians of the ratios.

    python -m tests.benchmarks.bench_launch

Goals (issue "Launching and coordinating"): submit + result <= 1.25, map <= 1.5, queue <= 1.3, run_process <= 1.5.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import cloudpickle

from tests.benchmarks.temporary_vault import use_temporary_vault

ROUNDS = 15


def nothing() -> None:
    """The task of the benchmark."""


def increment(x: int) -> int:
    return x + 1


def call_pickled(call: bytes) -> bytes:
    function, args = cloudpickle.loads(call)
    return cloudpickle.dumps(function(*args))


def echo(inbox: object, outbox: object, count: int) -> None:
    for _ in range(count):
        outbox.put(inbox.get())  # type: ignore[attr-defined]


def seconds(work: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


def compare(name: str, ours: Callable[[], object], reference: Callable[[], object], times: int, goal: float) -> None:
    """Measure both in turn, first one then the other first; print the median ratio."""
    ours(), reference()
    pairs = []
    for number in range(ROUNDS):
        if number % 2:
            mine, theirs = seconds(ours, times), seconds(reference, times)
        else:
            theirs, mine = seconds(reference, times), seconds(ours, times)
        pairs.append((mine, theirs))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    us, them = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    print(f"{name:<28} {ratio:5.2f} x   (ours {us:9.1f} µs, reference {them:9.1f} µs, goal <= {goal})", flush=True)


def bench_pool() -> None:
    from tablevault_ext import process_manager as pm

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as reference, pm.process_pool(2) as pool:
        for function, name in ((nothing, "submit + result"), (lambda: None, "submit + result, lambda")):
            compare(
                name,
                lambda function=function: pm.get_task_result(pm.submit_task(function, executor_id=pool.executor_id)),
                lambda function=function: cloudpickle.loads(
                    reference.submit(call_pickled, cloudpickle.dumps((function, ()))).result()
                ),
                300,
                1.25,
            )
        numbers = range(10_000)

        def reference_map(size: int) -> list[int]:
            return list(reference.map(increment, numbers, chunksize=size))

        sizes = (50, 200, 625, 1250, 2500, 5000)
        size = min(sizes, key=lambda size: seconds(lambda: reference_map(size), 5))
        compare(
            f"map, chunksize {size}",
            lambda: pool.map(increment, numbers),
            lambda: reference_map(size),
            3,
            1.5,
        )


def bench_queue() -> None:
    from tablevault_ext import process_manager as pm

    manager = multiprocessing.Manager()
    bare = manager.Queue()
    ours = pm.create_queue()

    def use_bare() -> None:
        bare.put("item")
        bare.get()

    def use_ours() -> None:
        pm.put_queue_item(ours, "item")
        pm.get_queue_item(ours)

    compare("queue put + get", use_ours, use_bare, 500, 1.3)
    pm.delete_queue(ours)
    manager.shutdown()


def bench_run() -> None:
    from tablevault_ext import process_manager as pm

    compare(
        "run_process(['true'])",
        lambda: pm.run_process(["true"]),
        lambda: subprocess.run(["true"], check=False),
        30,
        1.5,
    )
    compare(
        "the same, output captured",
        lambda: pm.run_process(["true"]),
        lambda: subprocess.run(["true"], check=False, capture_output=True),
        30,
        1.5,
    )


if __name__ == "__main__":
    use_temporary_vault()
    os.environ["TABLEVAULT_SHARED_LINGER"] = "1"
    bench_run()
    bench_queue()
    bench_pool()
