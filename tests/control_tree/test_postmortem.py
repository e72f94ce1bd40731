"""What happened when it died: facts and inferences apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tablevault_ext.control.descendants import find_descendants
from tablevault_ext.control.host import OomCounters, read_oom_counters
from tablevault_ext.control.marks import Marks
from tablevault_ext.control.postmortem import Death, assemble

from .conftest import Family

QUIET = OomCounters("group", 1, 5)
KILLED = Death("train", "lost", exit_signal=9)


@pytest.mark.parametrize(
    ("expected", "death"),
    [
        ("very likely killed for memory", replace(KILLED, oom_before=QUIET, oom_after=OomCounters("group", 2, 6))),
        ("possibly killed for memory", replace(KILLED, oom_before=QUIET, oom_after=OomCounters("group", 1, 6))),
        (
            "probably killed for memory",
            replace(
                KILLED,
                oom_before=OomCounters(None, None, 5),
                oom_after=OomCounters(None, None, 6),
                memory=[(1.0, 90)],
                memory_limit=100,
            ),
        ),
        ("used 95% of what it was allowed", replace(KILLED, memory=[(1.0, 95)], memory_limit=100)),
        ("not for memory, as far as the counters show", replace(KILLED, oom_before=QUIET, oom_after=QUIET)),
        ("killed by the stop that had been requested", replace(KILLED, requested="by ana")),
        ("without a word: kill -9, os._exit", Death("train", "lost")),
        ("ended with the machine", Death("train", "lost", restarted=True)),
        ("crashed in native code (SIGSEGV)", Death("train", "failed", exit_signal=11)),
        ("code 139 is how shells report SIGSEGV", Death("train", "failed", exit_code=139)),
        ("asked to end (SIGTERM), as requested", Death("train", "stopped", exit_signal=15, requested="by ana")),
        ("asked to end (SIGHUP), by a user, a terminal", Death("train", "failed", exit_signal=1)),
        ("an allocation was refused", Death("train", "failed", exit_code=1, error_type="MemoryError")),
        (
            "growing by 100 MiB a second, from 100 MiB to 300 MiB",
            replace(KILLED, memory=[(float(n), (n + 1) * 100 << 20) for n in range(3)]),
        ),
        ("1 of its processes outlived it", Death("train", "failed", exit_code=1, survivors=["77 (python)"])),
    ],
)
def test_what_is_inferred(expected: str, death: Death) -> None:
    post_mortem = assemble(death)
    assert any(expected in inference for inference in post_mortem.inferences), post_mortem.inferences
    assert not any(expected in fact for fact in post_mortem.facts)


def test_an_ordinary_failure_is_not_explained_away() -> None:
    """An error with its message says itself what happened: nothing is inferred."""
    post_mortem = assemble(
        Death("train", "failed", exit_code=1, ended_at=0.0, cell=4, line=2, code="fit(\n x)", error_type="ValueError")
    )
    assert post_mortem.inferences == ()
    assert post_mortem.facts == (
        "it is failed, with exit code 1",
        "it ended at 1970-01-01 00:00:00 UTC",
        "the last thing it ran was cell 4, line 2: `fit( x)`",
        "its last error was ValueError",
    )


def test_flat_or_falling_memory_is_not_called_growing() -> None:
    for curve in ([100, 100, 100, 100], [100, 300, 200, 290], [100], []):
        death = replace(KILLED, memory=[(float(n), size << 20) for n, size in enumerate(curve)])
        assert not any("growing" in inference for inference in assemble(death).inferences)


def test_counters_of_different_groups_are_not_compared() -> None:
    death = replace(KILLED, oom_before=OomCounters("a", 1, None), oom_after=OomCounters("b", 9, None))
    assert "memory" not in " ".join(assemble(death).inferences)


def test_the_post_mortem_of_a_real_crash_with_survivors(family: Family) -> None:
    """A process that leaves an orphan and dies by a real signal."""
    before = read_oom_counters(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", "import ctypes; ctypes.string_at(0)"])
    root = family.start("orphaner", "sleeper", members=1)
    (family.folder / "go").touch()
    family._started[0].wait(60)
    survivors = find_descendants(root, Marks(tokens=(family.token,))).members
    assert process.wait(60) == -signal.SIGSEGV
    death = Death(
        "train",
        "failed",
        exit_signal=-process.returncode,
        last_output="epoch 1\nepoch 2\n",
        oom_before=before,
        oom_after=before.again(),
        survivors=[str(member.pid) for member in survivors],
    )
    text = assemble(death).render()
    assert "Observed:\n  - it is failed, ended by SIGSEGV\n" in text
    assert f"still running: {family.one('sleeper').pid}" in text
    assert "  | epoch 2\n" in text
    assert "Inferred (not observed):\n  - it crashed in native code (SIGSEGV)" in text
    assert json.loads(json.dumps(assemble(death).to_json()))["name"] == "train"
