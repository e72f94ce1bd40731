"""A storm, in a process of its own: `python -m tests.store.storm VAULT WRITERS SECONDS`.

Forks writers that append records as fast as they can and count, in a file each, what was acknowledged; kills half
of them with -9 somewhere. Meanwhile forks ingesters, one after the other and two at a time, and kills each at a
random moment of its pass.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from tablevault_ext.paths import VaultPaths, open_vault
from tablevault_ext.store.passes import ingest_pass

from .journals import Identity, Recorded

KILLS = 10
"""So many ingesters are killed at least."""


def write(paths: VaultPaths, process_id: str, acknowledged: Path, calm: Path) -> None:
    """Append until the storm is over; after each append count it, one byte in a file."""
    process = Recorded(paths, process_id, process_id, identity=Identity.mine())
    counter = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    number = 0
    while not calm.exists():
        process.record("storm", number)
        os.write(counter, b".")
        number += 1
        if number % 10 == 0:
            process.cell(number // 10 - 1, f"cell {number}")
            time.sleep(random.random() * 0.05)
    process.end()


def fork(work: object, *arguments: object) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work(*arguments)  # type: ignore[operator]
    except BaseException as error:
        print(f"{work}: {error!r}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def main(root: str, writers: int, seconds: float, seed: int) -> None:
    random.seed(seed)
    paths = open_vault(root)
    folder = Path(root).parent
    names = [f"w{number}" for number in range(writers)]
    calm = folder / "calm"
    counts = [folder / f"{name}.count" for name in names]
    pids = [fork(write, paths, name, count, calm) for name, count in zip(names, counts, strict=True)]
    while not all(count.exists() and count.stat().st_size for count in counts):
        time.sleep(0.01)  # each is on record before the killing begins
    doomed = random.sample(pids, writers // 2)
    kills = 0
    end = time.monotonic() + seconds
    # On a busy machine the passes take their time, and it goes on until some were killed in their work.
    while time.monotonic() < end or (kills < KILLS and time.monotonic() < end + 90):
        ingesters = [fork(ingest_pass, paths) for _ in range(2)]
        time.sleep(random.random() * 0.12)
        for ingester in ingesters:
            os.kill(ingester, signal.SIGKILL)
            _, status = os.waitpid(ingester, 0)
            kills += os.WIFSIGNALED(status)
        if doomed:
            os.kill(doomed.pop(), signal.SIGKILL)
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    calm.touch()
    for pid in pids:
        os.waitpid(pid, 0)
    print(kills)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
