"""Resource sampling, host figures, and the counters of the OOM killer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tablevault_ext.control import sampling
from tablevault_ext.control.host import (
    HostFigures,
    OomCounters,
    host_figures,
    in_words,
    memory_to_resume,
    read_oom_counters,
    would_memory_hold,
)
from tablevault_ext.control.marks import Marks
from tablevault_ext.control.resources import Peaks, ResourceSampler
from tablevault_ext.control.tree import pause_now, resume_now, stop_now
from tablevault_ext.identity import Identity
from tablevault_ext.journal.reader import read_lines
from tablevault_ext.model import new_process_id
from tablevault_ext.paths import VaultPaths

from .conftest import Family, state_of, wait_until


def test_a_tree_is_sampled_as_one_while_it_is_suspended(family: Family) -> None:
    root = family.start("parent", "sleeper,daemon", members=3)
    sampler = ResourceSampler()
    sampler.watch(root, Marks(tokens=(family.token,)))
    assert pause_now(root, Marks(tokens=(family.token,)), patience=60).complete
    sample = sampler.sample()[root]
    assert (sample.children, sample.threads, sample.state, sample.suspended) == (2, 3, "T", 3)
    assert sample.cpu is None  # nothing to compare with yet
    assert sample.rss > 3 << 20
    assert sampler.sample()[root].cpu == 0.0
    assert resume_now(root, Marks(tokens=(family.token,)), patience=60).complete
    assert sampler.sample()[root].suspended == 0
    assert set(sampler.members(root)) == family.alive()
    assert json.loads(json.dumps(sample.to_json()))["children"] == 2


def test_cpu_is_counted_in_percent_of_one_core_with_that_of_the_children(family: Family) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import os\nos.fork()\nwhile True: pass"], start_new_session=True)
    family._started.append(process)
    try:
        root = Identity.of(process.pid)
        assert root is not None
        sampler = ResourceSampler()
        sampler.watch(root)
        wait_until(lambda: sampler.sample()[root].children == 1)
        members = [psutil.Process(each.pid) for each in sampler.members(root)]

        def used() -> float:
            return sum(sum(member.cpu_times()[:2]) for member in members)

        def sample() -> tuple[float, float, float, float]:
            """Sample once; the clock and what was used, before and after: the truth lies between."""
            clock, cpu = time.monotonic(), used()
            sampler.sample()
            return clock, time.monotonic(), cpu, used()

        early, late, least, most = sample()
        seen = sampler.peaks(root).cpu_seconds
        wait_until(lambda: used() > most + 0.5)
        next_early, next_late, next_least, next_most = sample()
        seconds = sampler.peaks(root).cpu_seconds - seen
        ticks = 0.05  # the system counts in hundredths of a second
        assert next_least - most - ticks <= seconds <= next_most - least + ticks
        assert seconds >= 0.4
        percent = sampler.history(root)[-1].cpu
        assert percent is not None
        assert 100 * seconds / (next_late - early) - 0.1 <= percent <= 100 * seconds / (next_early - late) + 0.1
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_history_is_short_and_peaks_stay(family: Family) -> None:
    root = family.start("wide", "3", members=4)
    sampler = ResourceSampler(history=3)
    sampler.watch(root)
    for _ in range(5):
        sampler.sample()
    assert len(sampler.history(root)) == 3
    highest = max(sample.rss for sample in sampler.history(root))
    assert stop_now(root, grace=5, patience=60).complete
    gone = sampler.sample()[root]
    assert (gone.children, gone.rss, gone.state) == (0, 0, "")
    peaks = sampler.peaks(root)
    assert (peaks.children, peaks.threads, peaks.samples) == (3, 4, 6)
    assert peaks.rss >= highest
    sampler.forget(root)
    assert (sampler.history(root), sampler.peaks(root), sampler.members(root)) == ((), Peaks(), ())


def test_survivors_of_a_dead_root_are_still_sampled(family: Family) -> None:
    """The sampler remembers whom it saw, so that even an orphan without marks is not lost."""
    root = family.start("orphaner", "sleeper", members=1)
    sampler = ResourceSampler()
    sampler.watch(root)
    sampler.sample()
    (family.folder / "go").touch()
    family._started[0].wait(60)
    sample = sampler.sample()[root]
    assert (sample.state, sample.children) == ("", 1)
    assert sampler.members(root) == (family.one("sleeper"),)


def test_a_child_is_noted_when_it_has_started_its_program(
    family: Family, vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between vfork and exec it still shows its parent's command and environment."""
    monkeypatch.setattr(sampling, "EVERY", 0.0)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    root = family.start("vfork", str(fifo), members=1)
    wait_until(lambda: state_of(root) == "D")
    process_id = new_process_id()
    keeper = sampling.Sampling(vault, lambda: {process_id: root})

    def commands() -> list[str]:
        events = [json.loads(line) for _, line in read_lines(vault.keeper_journal(process_id))]
        return [event["command"] for event in events if event["e"] == "child"]

    keeper.step()
    assert commands() == []
    os.close(os.open(fifo, os.O_WRONLY))
    wait_until(lambda: len(family.everybody()) == 2)
    keeper.step()
    (command,) = commands()
    assert command.endswith("sleeper")


def make_proc(folder: Path, *, version: int) -> tuple[Path, Path]:
    """A small /proc and cgroup tree, as the kernel writes them."""
    proc, groups = folder / "proc", folder / "cgroup"
    group = groups / "job"
    for each in (proc / "self", proc / "7", group):
        each.mkdir(parents=True)
    kind, options, line = ("cgroup2", "rw", "0::/job") if version == 2 else ("cgroup", "rw,memory", "4:memory:/job")
    (proc / "self/mountinfo").write_text(f"30 1 0:26 / {groups} rw,nosuid - {kind} {kind} {options}\n")
    for pid in ("self", "7"):
        (proc / pid / "cgroup").write_text(line + "\n")
    (proc / "vmstat").write_text("nr_free_pages 1\noom_kill 5\n")
    return proc, group


@pytest.mark.parametrize("version", [1, 2])
def test_the_limits_of_a_container_are_honoured(tmp_path: Path, version: int) -> None:
    proc, group = make_proc(tmp_path, version=version)
    if version == 2:
        (group / "memory.max").write_text("100000000\n")
        (group / "memory.current").write_text("60000000\n")
        (group / "memory.stat").write_text("anon 1\ninactive_file 20000000\n")
        (group / "cpu.max").write_text("50000 100000\n")
        (group.parent / "memory.max").write_text("max\n")
        (group.parent / "memory.current").write_text("1\n")
    else:
        (group / "memory.limit_in_bytes").write_text("100000000\n")
        (group / "memory.usage_in_bytes").write_text("60000000\n")
        (group / "memory.stat").write_text("total_inactive_file 20000000\n")
        (group.parent / "memory.limit_in_bytes").write_text("9223372036854771712\n")
        (group.parent / "memory.usage_in_bytes").write_text("1\n")
    figures = host_figures(proc)
    assert (figures.memory_total, figures.memory_available, figures.limited) == (100_000_000, 60_000_000, True)
    assert figures.cores == (0.5 if version == 2 else float(os.cpu_count() or 1))


@pytest.mark.parametrize(("version", "name"), [(1, "memory.oom_control"), (2, "memory.events")])
def test_kills_for_memory_are_counted_per_group(tmp_path: Path, version: int, name: str) -> None:
    proc, group = make_proc(tmp_path, version=version)
    (group / name).write_text("under_oom 0\noom_kill 1\n")
    before = read_oom_counters(7, proc)
    assert (before.group, before.machine) == (1, 5)
    (group / name).write_text("under_oom 0\noom_kill 2\n")
    (proc / "7/cgroup").unlink()  # the process is gone, its group is not
    assert before.again(proc).group == 2


def test_this_machine_can_be_read_or_says_that_it_cannot() -> None:
    figures = host_figures()
    assert 0 < figures.memory_available <= figures.memory_total
    assert 0 < figures.cores <= (os.cpu_count() or 1)
    counters = read_oom_counters(os.getpid())
    assert counters.again() == counters
    assert read_oom_counters(2**22 + 1) == OomCounters(None, None, counters.machine)


def test_a_start_that_memory_cannot_hold_is_warned_of() -> None:
    figures = HostFigures(0.0, 2.0, 100 << 30, 10 << 30, 0, limited=True)
    assert would_memory_hold(4 << 30, figures).message == ""
    check = would_memory_hold(6 << 30, figures, doing="resuming train")
    assert not check.holds
    assert check.message == (
        "resuming train needs about 6.0 GiB of memory, but this container has only 5.0 GiB to give"
    )


def test_what_a_resume_takes_is_what_is_missing_to_the_peak(family: Family) -> None:
    root = family.start("sleeper", members=1)
    resident = Path(f"/proc/{root.pid}/statm").read_text().split()[1]
    now = int(resident) * os.sysconf("SC_PAGE_SIZE")
    assert abs(memory_to_resume([root], peak=now + (1 << 30)) - (1 << 30)) < 8 << 20
    assert memory_to_resume([root], peak=1) == 0


@pytest.mark.parametrize(
    ("text", "size"), [("0 bytes", 0), ("1023 bytes", 1023), ("64 KiB", 65536), ("1024.0 GiB", 1 << 40)]
)
def test_sizes_for_people(text: str, size: int) -> None:
    assert in_words(size) == text
