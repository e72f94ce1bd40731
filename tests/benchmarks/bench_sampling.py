"""Sampling 100 processes against psutil.process_iter over the same attributes. Goal: at most 1.2 ×.

Run it by hand: ``python -m tests.benchmarks.bench_sampling [ROUNDS]``. Medians of paired rounds.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tablevault_ext.control.marks import Marks
from tablevault_ext.control.resources import ResourceSampler
from tablevault_ext.identity import Identity

PROCESSES = 100
ATTRIBUTES = ["pid", "ppid", "status", "create_time", "cpu_times", "memory_info", "num_threads"]


def sleepers() -> list[Identity]:
    found = []
    for _ in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            signal.alarm(300)
            while True:
                signal.pause()
        identity = Identity.of(pid)
        assert identity is not None
        found.append(identity)
    return found


def timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main(rounds: int) -> None:
    children = sleepers()
    try:
        single = ResourceSampler()
        single.watch(Identity.mine(), Marks(tokens=(("TABLEVAULT_PARENT", "none"),)))
        many = ResourceSampler()
        for number, child in enumerate(children):
            marks = Marks(tokens=(("TABLEVAULT_PARENT", str(number)),), mappings=(Path(f"/nowhere/{number}.ctl"),))
            many.watch(child, marks)
        reference, one_tree, hundred_trees = [], [], []
        for _ in range(rounds):
            reference.append(timed(lambda: [each.info for each in psutil.process_iter(ATTRIBUTES)]))
            one_tree.append(timed(single.sample))
            hundred_trees.append(timed(many.sample))
    finally:
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
    print(f"psutil.process_iter over {len(ATTRIBUTES)} attributes: {statistics.median(reference) * 1000:.1f} ms")
    for name, values in (("1 process with 100 descendants", one_tree), ("100 processes", hundred_trees)):
        ratio = statistics.median(mine / theirs for mine, theirs in zip(values, reference, strict=True))
        print(f"{name}: {statistics.median(values) * 1000:.1f} ms = {ratio:.2f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
