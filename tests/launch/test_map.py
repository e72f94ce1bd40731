"""`map` over a pool."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.launch.errors import TaskLost, TaskTimeout
from tablevault_ext.launch.pool_desk import PoolDesk
from tablevault_ext.paths import VaultPaths

from ..support import events, wait_until
from .conftest import LAUNCHER


def double(x: int) -> int:
    return 2 * x


def fail_at(x: int, bad: int, folder: str) -> int:
    if x == bad:
        raise ValueError(f"item {x}")
    (Path(folder) / str(x)).touch()
    return x


def nap(x: int) -> int:
    time.sleep(0.05)
    return x


def die_at(x: int, bad: int, marker: str) -> int:
    if x == bad and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.fixture
def pool(pools: PoolDesk) -> str:
    return pools.create_process_pool(2)


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_results_come_in_order_from_few_chunks(kind: str, pools: PoolDesk, vault: VaultPaths) -> None:
    pool = pools.create_process_pool(2) if kind == "process" else pools.create_thread_pool(2)
    assert pools.map_tasks(double, range(10_000), executor_id=pool) == [2 * x for x in range(10_000)]

    def rows() -> dict[str, Any]:
        return {event["id"]: event for event in events(vault, LAUNCHER, "task")}

    wait_until(lambda: {row["status"] for row in rows().values()} == {"done"}, "each chunk has its row")
    assert sum(row["items"] for row in rows().values()) == 10_000
    assert len(rows()) < 500


def test_several_iterables_none_and_an_empty_one(pools: PoolDesk, pool: str) -> None:
    assert pools.map_tasks(pow, [1, 2, 3], [2, 2], executor_id=pool) == [1, 4]
    assert pools.map_tasks(double, [], executor_id=pool) == []
    assert pools.map_tasks(double, (x for x in range(3)), executor_id=pool) == [0, 2, 4]


def test_progress_is_told_as_it_comes(pools: PoolDesk, pool: str) -> None:
    told: list[tuple[int, int]] = []
    pools.map_tasks(nap, range(30), executor_id=pool, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (30, 30)
    assert len(told) > 5, "slow items are sent one by one"


def test_the_vault_sees_the_progress_of_a_long_map(pools: PoolDesk, pool: str, vault: VaultPaths) -> None:
    pools.map_tasks(nap, range(50), executor_id=pool)
    told = events(vault, LAUNCHER, "progress")
    assert (told[-1]["done"], told[-1]["total"], told[-1]["desc"]) == (50, 50, "nap")


def test_the_first_error_cancels_the_rest_and_says_where_it_was(pools: PoolDesk, pool: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="item 5") as caught:
        pools.map_tasks(fail_at, range(1000), [5] * 1000, [str(tmp_path)] * 1000, chunksize=2, executor_id=pool)
    assert "items 4 to 5" in caught.value.__notes__[-1]
    assert "in fail_at" in str(caught.value.__cause__)
    assert len(list(tmp_path.iterdir())) < 100
    assert pools.map_tasks(double, [1], executor_id=pool) == [2]


def test_a_timeout_cancels_the_rest(pools: PoolDesk, pool: str) -> None:
    with pytest.raises(TaskTimeout, match="of 1000 results"):
        pools.map_tasks(nap, range(1000), executor_id=pool, timeout=0.5)
    assert pools.map_tasks(double, [1], executor_id=pool) == [2]


def test_a_killed_worker_is_told_or_its_chunk_is_run_again(pools: PoolDesk, pool: str, tmp_path: Path) -> None:
    def run(marker: str, **options: Any) -> list[int]:
        return pools.map_tasks(
            die_at, range(100), [50] * 100, [str(tmp_path / marker)] * 100, executor_id=pool, **options
        )

    with pytest.raises(TaskLost, match="SIGKILL") as caught:
        run("one", chunksize=10)
    assert "items 50 to 59" in caught.value.__notes__[-1]
    assert run("two", idempotent=True) == list(range(100))
