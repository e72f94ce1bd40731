"""A made-up vault for looking at the panel: a dozen telling processes, and as many more as are wanted."""

from __future__ import annotations

import math
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
KINDS = ("worker", "command", "script", "notebook", "unrecorded")
ENDED = ("stopped", "finished", "failed", "lost")


def iso(seconds_ago: float | None) -> str | None:
    if seconds_ago is None:
        return None
    moment = datetime.fromtimestamp(time.time() - seconds_ago, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def request(process_id: str, action: str, ago: float, **values: Any) -> Json:
    return {
        "request_id": f"r{random.getrandbits(40):x}",
        "process_id": process_id,
        "action": action,
        "now": False,
        "keep_kernel": False,
        "grace": 30.0,
        "escalate": False,
        "requested_by": "ana",
        "reason": "",
        "requested_at": iso(ago),
        "seen_at": None,
        "effective_at": None,
        "outcome": None,
        "waiting_for": None,
        "latency": None,
        "detail": {},
        **values,
    }


def process(name: str, kind: str = "script", status: str = "running", **values: Any) -> Json:
    started = values.pop("started", 3600.0)
    ended = values.pop("ended", None)
    cpu = values.pop("cpu", 12.0)
    rss = values.pop("rss", 4e8)
    children = dict.fromkeys(KINDS, 0) | values.pop("children", {})
    live = status not in ENDED
    wave = [max(0.0, cpu * (1 + 0.3 * math.sin(i / 2) + random.uniform(-0.1, 0.1))) for i in range(30)]
    history = {"t": [time.time() - 60 + 2 * i for i in range(30)], "cpu": wave, "rss": [rss] * 30}
    resources = {"cpu": cpu, "rss": int(rss), "threads": 8, "children": sum(children.values()), "history": history}
    return {
        "process_id": f"p-{name}".replace(".", "-"),
        "name": name,
        "run": 1,
        "kind": kind,
        "status": status,
        "activity": None,
        "user_id": "ana",
        "host": "workstation",
        "pid": random.randint(1000, 99999),
        "parent_id": None,
        "parent_cell": None,
        "started_at": iso(started),
        "ended_at": iso(ended),
        "exit_code": None,
        "exit_signal": None,
        "error": None,
        "path": f"/home/ana/{name}.py",
        "argv": [sys.executable, f"{name}.py", "--epochs", "50"] if kind in ("script", "command") else None,
        "cwd": "/home/ana",
        "python": "3.11.7",
        "kernel_id": None,
        "notebook": None,
        "description": None,
        "paused_from_outside": False,
        "request": None,
        "refusals": {},
        "current_cell": None,
        "last_checkpoint_at": None,
        "checkpoint_interval": None,
        "checkpoints": 0,
        "cells": 1,
        "errors": 0,
        "children": children,
        "actors": 0,
        "progress": None,
        "resources": resources if live else None,
        **values,
    }


def cell(seq: int, code: str, status: str = "ok", **values: Any) -> Json:
    return {
        "seq": seq,
        "cell_id": None,
        "execution_count": seq + 1,
        "code": code,
        "code_truncated": False,
        "private": False,
        "status": status,
        "started_at": iso(3000 - 60 * seq),
        "ended_at": None if status == "running" else iso(2990 - 60 * seq),
        "duration": None if status == "running" else 0.8 * (seq + 1),
        "error_type": None,
        "error_message": None,
        "output_tail": None,
        **values,
    }


def telling() -> list[Json]:
    """The processes of the drawing in PANEL.md, and their like."""
    train = process(
        "train_resnet",
        started=7200,
        cpu=212,
        rss=3.3e9,
        children={"worker": 4, "command": 1},
        progress={"desc": "epoch", "done": 14, "total": 50, "rate": 0.05, "eta": 720, "updated_at": iso(1)},
        current_cell={
            "seq": 7,
            "cell_id": None,
            "execution_count": None,
            "code": "model.fit(loader, epochs=50)",
            "started_at": iso(900),
        },
        last_checkpoint_at=iso(0.8),
        checkpoint_interval=0.8,
        checkpoints=1200,
    )
    workers = [
        process(f"worker-{n}", "worker", parent_id=train["process_id"], cpu=50, rss=6e8, started=7000) for n in range(4)
    ]
    analysis = process(
        "analysis.ipynb",
        "notebook",
        started=5400,
        activity="idle",
        cpu=0.3,
        notebook="analysis.ipynb",
        kernel_id="none",
        cells=6,
        errors=1,
    )
    paused = process("ingest", started=9000, status="paused", rss=9e8, cpu=0)
    paused["request"] = request(
        paused["process_id"],
        "pause",
        180,
        reason="disk",
        seen_at=iso(179.9),
        effective_at=iso(179.7),
        outcome="effective",
        latency=0.3,
        detail={"place": "cell 7"},
    )
    pausing = process(
        "etl", "notebook", "pausing", started=4000, activity="busy", cpu=99, notebook="etl.ipynb", cells=14
    )
    why = "in cell 14, pandas.merge; no checkpoint for 41 s (usual gap 0.8 s)"
    pausing["request"] = request(pausing["process_id"], "pause", 41, seen_at=iso(40.9), waiting_for=why)
    pausing["current_cell"] = {
        "seq": 13,
        "cell_id": None,
        "execution_count": 14,
        "code": "merged = orders.merge(customers, on='id')",
        "started_at": iso(52),
    }
    pausing["last_checkpoint_at"] = iso(41)
    failed = process("sweep-3", status="failed", started=3000, ended=240, error="KeyError: 'lr'", exit_code=1, errors=1)
    lost = process("gpu_probe", status="lost", started=3500, ended=900)
    outside = process("old_kernel", "notebook", "paused", paused_from_outside=True, cpu=0, rss=2e8)
    ended = [
        process(f"sweep-{n}", status="finished", started=3600 + n * 60, ended=600 + n * 300, exit_code=0)
        for n in range(20, 29)
    ]
    stopped = process("sweep-30", status="stopped", run=3, ended=500, exit_code=75)
    stopped["request"] = request(
        stopped["process_id"],
        "stop",
        501,
        reason="wrong learning rate",
        outcome="effective",
        effective_at=iso(500),
        latency=0.2,
    )
    command = process("ffmpeg", "command", cpu=388, rss=1.2e9, started=120)
    command["argv"] = ["ffmpeg", "-i", "take 1.mov", "-c:v", "libx265", "out.mp4"]
    return [train, *workers, analysis, paused, outside, pausing, failed, lost, *ended, stopped, command]


def many(count: int) -> list[Json]:
    """As many more as are wanted, of all states."""
    states = ("running", "running", "paused", "finished", "failed", "pausing")
    result = []
    for n in range(count):
        status = states[n % len(states)]
        ended = 100.0 + n if status in ENDED else None
        result.append(process(f"run-{n:04}", status=status, started=1000.0 + n, ended=ended, cpu=n % 100))
    return result


TRACEBACK = """Traceback (most recent call last):
  File "/home/ana/sweep.py", line 31, in <module>
    main(config)
  File "/home/ana/sweep.py", line 24, in main
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
                                                       ~~~~~~^^^^^^
  File "/usr/lib/python3.11/site-packages/box/box.py", line 12, in __getitem__
    return self._items[key]
           ~~~~~~~~~~~^^^^^
KeyError: 'lr'
"""
