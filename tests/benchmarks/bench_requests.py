"""Request → effect for a loop with a checkpoint each millisecond, against a bare pipe wake-up between two processes.

python -m tests.benchmarks.bench_requests
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.benchmarks.temporary_vault import use_temporary_vault

ROUNDS = 150
LOOP = """
import time
from tablevault_ext import Vault
vault = Vault(process_name="loop")
print("up", flush=True)
while True:
    time.sleep(0.001)
    vault.checkpoint_execution()
"""
PIPE = """
import os, sys, time
while data := os.read(0, 1):
    os.write(1, str(time.monotonic_ns()).encode() + b"\\n")
"""


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def pipe_wakeups() -> list[float]:
    child = subprocess.Popen([sys.executable, "-c", PIPE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    times = []
    for _ in range(ROUNDS):
        time.sleep(0.002)
        began = time.monotonic_ns()
        os.write(child.stdin.fileno(), b"x")
        times.append((int(child.stdout.readline()) - began) / 1e9)
    child.stdin.close()
    child.wait()
    child.stdout.close()
    return times


def start_loop() -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def main() -> None:
    use_temporary_vault()
    from tablevault_ext import Vault

    vault = Vault(process_name="requester")
    bare = p99(pipe_wakeups())
    print(f"pipe wake-up p99: {bare * 1e3:.2f} ms")
    child = start_loop()
    pauses, resumes, stops = [], [], []
    for _ in range(ROUNDS):
        pauses.append(vault.pause_execution("loop", wait=10).effect_latency or 10)
        resumes.append(vault.resume_execution("loop", wait=10).effect_latency or 10)
    for _ in range(40):
        request = vault.stop_execution("loop", wait=10)
        stops.append(request.seen_latency or 10)
        child.wait()
        child = start_loop()
    vault.stop_execution("loop", wait=10)
    child.wait()
    for what, times in (("pause", pauses), ("resume", resumes), ("stop (raised)", stops)):
        print(f"{what}: p99 {p99(times) * 1e3:.2f} ms, {(p99(times) - bare) * 1e3:+.2f} ms beyond it (goal 5)")


if __name__ == "__main__":
    main()
