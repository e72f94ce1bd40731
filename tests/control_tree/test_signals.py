"""A signal reaches the process that was meant, or nobody."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tablevault_ext.control import signals
from tablevault_ext.control.signals import Delivery, send, wait_for_end
from tablevault_ext.control.tree import pause_now, resume_now, stop_now
from tablevault_ext.identity import Identity

from .conftest import Family, state_of, wait_until


@pytest.fixture(params=["pidfd", "kill"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With pidfds, and as on a platform without them."""
    monkeypatch.setattr(signals, "_PIDFDS", request.param == "pidfd")
    return str(request.param)


def test_a_reused_pid_is_never_signalled(family: Family, way: str) -> None:
    """The same pid with another start is somebody else: no signal, no pause, no stop reaches it."""
    process = family.start("sleeper", members=1)
    earlier = replace(process, start=process.start - 1)
    assert send(earlier, signal.SIGKILL) is Delivery.REUSED
    for report in (pause_now(earlier), resume_now(earlier), stop_now(earlier, grace=0)):
        assert (report.reached, report.ended, report.missed) == ((), (), ())
    assert pause_now(earlier, known=[earlier]).reached == ()
    wait_until(lambda: state_of(process) == "S")  # unharmed, it goes to sleep


def test_a_pid_that_changes_hands_after_the_look_is_not_signalled(
    family: Family, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison happens after the handle was taken: what is compared is what is signalled."""
    process = family.start("sleeper", members=1)
    meant = replace(process, start=process.start - 1)
    order: list[str] = []
    real_open, real_look = signals.open_handle, signals.look
    monkeypatch.setattr(signals, "open_handle", lambda who: order.append("open") or real_open(who))
    monkeypatch.setattr(signals, "look", lambda who: order.append("look") or real_look(who))
    assert send(meant, signal.SIGKILL) is Delivery.REUSED
    assert order == ["open", "look"]
    wait_until(lambda: state_of(process) == "S")  # unharmed, it goes to sleep


def test_other_machines_namespaces_and_boots_are_not_signalled(family: Family, way: str) -> None:
    process = family.start("sleeper", members=1)
    assert send(replace(process, host="elsewhere"), signal.SIGKILL) is Delivery.ELSEWHERE
    assert send(replace(process, pid_ns="pid:[1]"), signal.SIGKILL) is Delivery.ELSEWHERE
    assert send(replace(process, boot_id="an earlier one"), signal.SIGKILL) is Delivery.GONE
    wait_until(lambda: state_of(process) == "S")  # unharmed, it goes to sleep


@pytest.mark.parametrize("pid", [1, 0, -1])
def test_init_groups_and_everybody_are_never_signalled(pid: int) -> None:
    assert send(replace(Identity.mine(), pid=pid), 0) is Delivery.REFUSED


def test_a_signal_is_delivered_once_and_then_its_target_is_gone(family: Family, way: str) -> None:
    process = family.start("sleeper", members=1)
    assert send(process, signal.SIGTERM) is Delivery.SENT
    assert wait_for_end([process], 60) == {process}
    assert send(process, signal.SIGTERM) is Delivery.GONE  # a zombie until the test collects it
    family.reap()
    assert send(process, signal.SIGTERM) is Delivery.GONE


def test_waiting_ends_with_the_processes_or_with_the_time(family: Family, way: str) -> None:
    first = family.start("sleeper", members=1)
    second = family.start("deaf", members=1)
    assert wait_for_end([], 5) == set()
    send(first, signal.SIGTERM)
    assert wait_for_end([first], 60) == {first}
    assert wait_for_end([first, second], 0.5) == {first}
    killer = threading.Timer(0.05, lambda: send(second, signal.SIGKILL))
    killer.start()
    assert wait_for_end(iter([first, second]), 60) == {first, second}
    killer.join()


def test_with_few_free_descriptors_it_still_works(family: Family) -> None:
    """pidfds run out (a limit of open files): then it is polled, and nobody alive is called gone."""
    import resource

    root = family.start("wide", "12", members=13)
    everybody = family.alive()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    filler: list[int] = []
    try:
        highest = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, limits[1]))
        while len(filler) < 64:
            try:
                filler.append(os.dup(0))
            except OSError:
                break
        for _ in range(4):
            os.close(filler.pop())
        assert wait_for_end(everybody, 0.1) == set()
        assert pause_now(root, patience=60).complete
        assert len(stop_now(root, grace=10, patience=60).ended) == 13
    finally:
        for descriptor in filler:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert not family.alive()
