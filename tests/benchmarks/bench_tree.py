"""Pause, resume and stop of a tree of 100 processes against one psutil listing of it. Goal for pause: at most 3 ×.

Run it by hand: ``python -m tests.benchmarks.bench_tree [ROUNDS]``. Medians of paired rounds.
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

from tablevault_ext.control.descendants import find_descendants
from tablevault_ext.control.marks import Marks
from tablevault_ext.control.tree import pause_now, resume_now, stop_now
from tablevault_ext.identity import Identity

CHILDREN = 99


def family() -> Identity:
    """A process with 99 children that sleep."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _ in range(CHILDREN):
            if os.fork() == 0:
                signal.alarm(300)
                while True:
                    signal.pause()
        os.write(tell, b".")
        signal.alarm(300)
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    root = Identity.of(pid)
    assert root is not None
    return root


def timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main(rounds: int) -> None:
    root = family()
    # What a real request passes: a token (nobody carries this one) and a control block (nobody maps this one).
    marks = Marks(tokens=(("TABLEVAULT_PARENT", "none"),), mappings=(Path("none.ctl"),))
    listing, finding, pausing, resuming = [], [], [], []
    try:
        for _ in range(rounds):
            listing.append(timed(lambda: psutil.Process(root.pid).children(recursive=True)))
            finding.append(timed(lambda: find_descendants(root, marks)))
            pausing.append(timed(lambda: _check(pause_now(root, marks))))
            resuming.append(timed(lambda: _check(resume_now(root, marks))))
    finally:
        stopping = timed(lambda: stop_now(root, marks, grace=10))
        os.waitpid(root.pid, 0)
    base = statistics.median(listing)
    print(f"{len(psutil.pids())} other processes; psutil children(recursive=True): {base * 1000:.1f} ms")
    for name, values in (("find", finding), ("pause", pausing), ("resume", resuming)):
        ratio = statistics.median(mine / theirs for mine, theirs in zip(values, listing, strict=True))
        print(
            f"{name:>7}: {statistics.median(values) * 1000:6.1f} ms = {ratio:.2f} x (worst {max(values) * 1000:.1f} ms)"
        )
    print(f"   stop: {stopping * 1000:6.1f} ms (all end on SIGTERM)")


def _check(report: object) -> None:
    assert len(report.reached) == CHILDREN + 1 and report.complete, report  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
