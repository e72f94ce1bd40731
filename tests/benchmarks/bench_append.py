"""Appending events: one process, and 64 at once, paced like a busy loop of records.

python -m tests.benchmarks.bench_append
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

CHILD = """
import json, sys, time
from tablevault_ext.journal.writer import JournalWriter
from pathlib import Path
journal = JournalWriter(Path(sys.argv[1]) / f"{sys.argv[2]}.ndjson", sys.argv[2])
times = []
print("up", flush=True); sys.stdin.readline()
for step in range(400):
    time.sleep(0.01)
    began = time.perf_counter_ns()
    journal.append("record_appended", list="log", cell_seq=0, record={"step": step, "loss": 0.5})
    times.append(time.perf_counter_ns() - began)
print(json.dumps(times))
"""


def run(folder: str, number: int) -> list[float]:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, folder, f"p{number}x{index}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(number)
    ]
    for child in children:
        child.stdout.readline()  # type: ignore[union-attr]
    for child in children:
        child.stdin.write("go\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
    times: list[float] = []
    for child in children:
        times += json.loads(child.communicate()[0])
    return sorted(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 64):
            times = run(folder, number)
            median, p99 = times[len(times) // 2] / 1e3, times[int(len(times) * 0.99)] / 1e3
            print(f"append, {number} at once: median {median:.0f} µs, p99 {p99:.0f} µs" + " (goal 250)" * (number > 1))


if __name__ == "__main__":
    main()
