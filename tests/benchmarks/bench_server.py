"""What the panel's list costs the server, against serialising the same JSON.

    python -m tests.benchmarks.bench_server [PROCESSES] [ROUNDS]

A vault of so many processes (1,000), half of them living, each with a control block and two minutes of samples.
Measured are pairs: what the server does for an answer, in its own code, and `json.dumps` of the same data.
"""

from __future__ import annotations

import json
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tablevault_ext.identity import Identity
from tablevault_ext.journal.control_block import MAGIC_AT, SIZE
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import new_process_id
from tablevault_ext.panel.board import Board
from tablevault_ext.panel.host import HostReader
from tablevault_ext.panel.wanted import Wanted
from tablevault_ext.paths import VaultPaths, open_vault
from tablevault_ext.server.handlers.processes import list_text


def fill(paths: VaultPaths, processes: int) -> list[str]:
    """Processes as journals tell of them; the ids of the living ones, which all claim to be this very process."""
    me, living = Identity.mine().to_json(), []
    for number in range(processes):
        process_id = new_process_id()
        journal = JournalWriter(paths.journal(process_id), process_id)
        fields = {"kind": "script", "status": "running", "identity": me, "name": f"train-{number}", "run": 1}
        fields |= {
            "user_id": "ana",
            "argv": ["train.py", "--lr", "0.1"],
            "cwd": "/home/ana",
            "path": "/home/ana/train.py",
        }
        journal.append("process_started", **fields, description="a run among many")
        journal.append("cell_started", seq=0, code="import torch\n" * 50)
        journal.append("progress", done=3, total=10, desc="epochs", rate=0.5, elapsed=6.0)
        if number % 2:
            journal.append("process_ended", status="finished", exit_code=0, boot="", mono=0)
        else:
            living.append(process_id)
            touch(paths, process_id, 1)
        journal.close()
    return living


def touch(paths: VaultPaths, process_id: str, count: int) -> None:
    """What changes by itself each second: the counters of the control block, and the samples."""
    block = bytearray(SIZE)
    block[MAGIC_AT : MAGIC_AT + 8] = b"TVCTL1\0\0"
    struct.pack_into("=QQQQ", block, 64, count, time.monotonic_ns(), 10_000_000, 0)
    paths.control_block(process_id).write_bytes(block)
    steps = range(count, count + 120)
    samples = [{"t": 1e9 + n, "cpu": 99.5, "rss": 10**9 + n, "threads": 8, "children": 0} for n in steps]
    paths.samples(process_id).write_text(json.dumps({"samples": samples, "oom": None}))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def report(title: str, times: list[float], reference: list[float]) -> None:
    ratio = statistics.median(one / other for one, other in zip(times, reference, strict=True))
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"{title:48} median {statistics.median(times):7.1f} ms   p95 {p95:7.1f} ms   {ratio:5.2f} x json.dumps")


def main(processes: int = 1000, rounds: int = 100) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = open_vault(Path(folder) / "vault")
        living = fill(paths, processes)
        board = Board(paths, on_change=lambda *_: None, on_entry=lambda _: None)
        host, wanted = HostReader(), Wanted()
        print(f"first list, with ingest: {timed(lambda: board.listing(wanted)):.0f} ms")
        for title, refresh in (("nothing changed meanwhile", 0), ("all living changed (each second)", len(living))):
            times, reference = [], []
            for number in range(rounds if not refresh else rounds // 4):
                for process_id in living[:refresh]:
                    touch(paths, process_id, number)
                board._observed_at = -1e9 if refresh else time.monotonic()
                times.append(timed(lambda: list_text(board, wanted, host, {})))
                data = json.loads(list_text(board, wanted, host, {}))
                reference.append(timed(lambda data=data: json.dumps(data)))
            report(f"list of {len(data['processes'])}, {title}", times, reference)
        print(f"bytes: {len(json.dumps(data)):,}")
        since = board.revision
        some = living[:10]
        times, reference = [], []
        for number in range(rounds):
            for process_id in some:
                touch(paths, process_id, number)
            board._observed_at = -1e9
            times.append(timed(lambda: list_text(board, Wanted(since=since), host, {})))
            reference.append(timed(lambda: json.dumps(data)))
            since = board.revision
        report("what changed since, ten of them", times, reference)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
