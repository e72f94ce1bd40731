"""A pending request says what it waits for."""

from __future__ import annotations

import os
import signal

import pytest

from tablevault_ext.control.tree import pause_now
from tablevault_ext.control.waiting import WaitFacts, WaitState, read_wait_state, why_not_yet

from .conftest import Family, state_of, wait_until

R = WaitState("R")


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        (
            "train (cell 12, line 3) seems to be inside one long call; "
            "its last checkpoint was 4 min ago, usually one comes every 2 s; now=True does not wait",
            WaitFacts("pause", "train", R, 90, 240.0, 2.0, 12, 3),
        ),
        (
            "train (line 3) is computing; its last checkpoint was 500 ms ago, usually one comes every 2 s; "
            "now=True does not wait",
            WaitFacts("pause", "train", R, 90, 0.5, 2.0, line=3),
        ),
        (
            "train (cell 3) has no checkpoint yet, so the stop waits for the end of the cell; now=True does not wait",
            WaitFacts("stop", "train", R, 0, cell=3),
        ),
        (
            "train has no checkpoint yet, so the stop waits for the end of the program; now=True does not wait",
            WaitFacts("stop", "train", WaitState("S", "poll_schedule_timeout"), 0),
        ),
        (
            "train is gone; the pause will not take effect",
            WaitFacts("pause", "train", WaitState("")),
        ),
        (
            "train was suspended from outside (kill -STOP or another tool), so it cannot reach a checkpoint; "
            "resume it first, or use now=True",
            WaitFacts("pause", "train", WaitState("T"), 0),
        ),
        (
            "train is held by a debugger, so it cannot reach a checkpoint; resume it first, or use now=True",
            WaitFacts("pause", "train", WaitState("t")),
        ),
        (
            "ffmpeg is a command and has no checkpoints; use now=True",
            WaitFacts("pause", "ffmpeg", has_checkpoints=False),
        ),
        (
            "train (cell 4) has put checkpoints off: inside `with vault.no_checkpoint()`; now=True does not wait",
            WaitFacts("pause", "train", R, 4, cell=4, held_by="inside `with vault.no_checkpoint()`"),
        ),
        (
            "train (line 9) is in an uninterruptible wait of the operating system (disk, network file system, driver); "
            "its last checkpoint was 60 s ago; now=True does not wait",
            WaitFacts("pause", "train", WaitState("D", "io_schedule"), 1, 60.0, line=9),
        ),
        (
            "train is waiting for a lock or a thread and has not reached a checkpoint since the request; "
            "now=True does not wait",
            WaitFacts("pause", "train", WaitState("S", "futex_wait_queue")),
        ),
        (
            "train is waiting and has not reached a checkpoint since the request; now=True does not wait",
            WaitFacts("pause", "train", WaitState("S")),
        ),
        (
            "train is waiting in hrtimer_odd; its last checkpoint was 2.5 h ago; now=True does not wait",
            WaitFacts("pause", "train", WaitState("S", "hrtimer_odd"), 5, 9000.0),
        ),
    ],
)
def test_the_sentence(expected: str, facts: WaitFacts) -> None:
    assert why_not_yet(facts) == expected


def test_the_state_of_a_real_process(family: Family) -> None:
    root = family.start("sleeper", members=1)
    wait_until(lambda: read_wait_state(root).state == "S")
    assert pause_now(root, patience=60).complete
    assert read_wait_state(root).state == "T"
    os.kill(root.pid, signal.SIGKILL)
    wait_until(lambda: state_of(root) in ("Z", ""))
    assert read_wait_state(root) == WaitState("")
