"""Pausing, resuming and stopping whole trees now: every claim is checked in the process table."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tablevault_ext.control.descendants import Finder
from tablevault_ext.control.marks import Marks
from tablevault_ext.control.process_table import running_threads
from tablevault_ext.control.reports import How, TreeReport
from tablevault_ext.control.signals import reap
from tablevault_ext.control.tree import pause_now, resume_now, stop_now
from tablevault_ext.errors import BadArgument, UnsupportedPlatform
from tablevault_ext.identity import Identity

from .conftest import Family, state_of, wait_until

EVERYTHING = "chain:3,deaf,setsid,daemon,fork,zombie,sleeper"
HOW_MANY = 9  # announced: the parent, 3 of the chain, deaf, setsid, daemon, fork, sleeper


def marks(family: Family) -> Marks:
    return Marks(tokens=(family.token,))


def identities(entries: tuple[object, ...]) -> set[Identity]:
    return {entry.member.identity for entry in entries}  # type: ignore[attr-defined]


def states(family: Family) -> set[str]:
    return {state_of(identity) for identity in family.alive()}


def test_a_tree_of_everything_is_paused_resumed_and_stopped(family: Family) -> None:
    """Three levels, deaf to TERM, setsid, double fork, fork without exec, a zombie: all reached, all listed."""
    root = family.start("parent", EVERYTHING, members=HOW_MANY)

    paused = pause_now(root, marks(family), patience=60)
    assert states(family) == {"T"}
    assert paused.complete
    assert identities(paused.reached) == family.alive() == set(paused.suspended)
    assert {each.state for each in paused.reached} == {"T"}
    assert paused.reached[0].member.identity == root
    assert [each.zombie for each in paused.ended] == [True]

    resumed = resume_now(root, marks(family), only=paused.suspended, patience=60)
    assert "T" not in states(family)
    assert resumed.complete
    assert identities(resumed.reached) == family.alive()
    assert not any(each.already for each in resumed.reached)

    everybody = family.alive()
    # The grace is what those who obey have to end; the deaf one uses it up.
    stopped = stop_now(root, marks(family), grace=10, patience=60)
    assert not family.alive()
    assert stopped.complete
    how = {each.member.identity: each.how for each in stopped.ended}
    assert everybody <= set(how)
    assert how[family.one("deaf")] is How.KILL
    assert how[family.one("daemon")] is How.TERM
    assert {how[each] for each in everybody - {family.one("deaf")}} == {How.TERM}
    assert next(each.exit_status for each in stopped.ended if each.member.identity == root) == -signal.SIGTERM
    assert json.loads(json.dumps(stopped.to_json()))["complete"] is True
    assert "8 ended after SIGTERM; 1 killed" in stopped.summary()


def test_a_stopped_tree_hears_the_stop_and_saves(family: Family) -> None:
    """TERM, then CONT: what is paused can still end cleanly."""
    root = family.start("saver", members=1)
    assert pause_now(root, patience=60).complete
    report = stop_now(root, grace=60)
    assert (family.folder / "saved").read_text() == "yes"
    assert [(each.how, each.exit_status) for each in report.ended] == [(How.TERM, 7)]


def test_a_pause_stops_progress_and_a_resume_continues_it(family: Family) -> None:
    root = family.start("counter", members=1)

    def count() -> int:
        file = family.folder / "count"
        return int.from_bytes(file.read_bytes(), "little") if file.exists() else 0

    wait_until(lambda: count() > 5)
    assert pause_now(root, patience=60).complete
    held = count()
    other = family.start("counter", members=1)  # the time in which a second one gets somewhere
    wait_until(lambda: count() > held)
    assert stop_now(other, grace=5, patience=60).complete
    held = count()
    assert state_of(root) == "T"
    assert resume_now(root, patience=60).complete
    wait_until(lambda: count() != held)


def test_a_child_that_forks_while_being_paused_leaves_nobody_running(family: Family) -> None:
    root = family.start("forker", "150", members=3)
    report = pause_now(root, marks(family), patience=60)
    assert report.complete
    assert identities(report.reached) >= family.alive()
    assert {state_of(each.member.identity) for each in report.reached} == {"T"}
    # Nobody new appeared since: the proof held.
    assert {m.identity for m in Finder(root, marks(family)).look().members if not m.zombie} == identities(
        report.reached
    )


def test_a_pause_that_runs_out_of_patience_claims_nothing_it_did_not_see(family: Family) -> None:
    """A tree that outgrows the pause is not called paused."""
    root = family.start("bomb", "200", members=2)
    report = pause_now(root, marks(family), patience=0)
    running = {m.identity for m in Finder(root, marks(family)).look().members if not (m.stopped or m.zombie)}
    # What was missed may have stopped since, but nobody who was called stopped runs.
    assert not (report.complete and running)
    assert report.complete is not bool(report.missed)
    assert running.isdisjoint(identities(report.reached))
    assert identities(report.reached).isdisjoint(identities(report.missed))
    assert pause_now(root, marks(family), patience=60).complete


@pytest.mark.parametrize("manners", ["polite", "deaf"])
def test_a_fork_bomb_of_200_is_paused_and_stopped_whole(family: Family, manners: str) -> None:
    """Every process of it forks on and on, while it is being paused."""
    root = family.start("bomb", "200", manners, members=5)
    paused = pause_now(root, marks(family), patience=60)
    assert paused.complete
    assert states(family) == {"T"}
    assert resume_now(root, marks(family), only=paused.suspended, patience=60).complete
    stopped = stop_now(root, marks(family), grace=0.3, patience=60)
    assert stopped.complete, stopped.summary()
    assert not family.alive()
    assert not [m for m in Finder(root, marks(family)).look().members if not m.zombie]


def test_programs_being_started_do_not_escape_a_pause(family: Family) -> None:
    """Each of four starts programs without end, by vfork: whichever moment a pause meets, all of it stops."""
    root = family.start("parent", "spawner,spawner,spawner,spawner", members=5)
    for _ in range(10):
        paused = pause_now(root, marks(family), patience=60)
        assert paused.complete, paused.summary()
        assert {state_of(each.member.identity) for each in paused.reached} == {"T"}
        tree = Finder(root, marks(family)).look()
        assert all(member.stopped or member.zombie for member in tree.members)
        assert resume_now(root, marks(family), only=paused.suspended, patience=60).complete
    assert stop_now(root, marks(family), grace=5, patience=60).complete
    assert not family.alive()


def test_what_others_suspended_is_not_resumed(family: Family) -> None:
    """A resume continues what its pause suspended and nobody else."""
    root = family.start("parent", "sleeper,deaf", members=3)
    sleeper = family.one("sleeper")
    os.kill(sleeper.pid, signal.SIGSTOP)
    wait_until(lambda: state_of(sleeper) == "T")
    paused = pause_now(root, patience=60)
    assert [each.member.identity for each in paused.reached if each.already] == [sleeper]
    assert sleeper not in paused.suspended
    resumed = resume_now(root, only=paused.suspended, patience=60)
    assert resumed.complete
    assert [(each.member.identity, each.why) for each in resumed.spared] == [
        (sleeper, "it was suspended by somebody else")
    ]
    assert state_of(sleeper) == "T"
    assert state_of(root) != "T"
    assert sleeper in identities(resume_now(root, patience=60).reached)
    assert state_of(sleeper) != "T"


def test_all_threads_of_a_process_are_seen_stopped(family: Family) -> None:
    root = family.start("threads", members=1)
    assert running_threads(root.pid) == 5
    assert pause_now(root, patience=60).complete
    assert running_threads(root.pid) == 0


def test_a_parent_inside_vfork_is_reported_and_comes_back(family: Family, tmp_path: Path) -> None:
    """It cannot stop before its child has started a program; the answer does not claim that it has."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    root = family.start("vfork", str(fifo), members=1)
    wait_until(lambda: state_of(root) == "D")

    def pause_that_found_the_child() -> TreeReport | None:
        report = pause_now(root, patience=0.3)
        if report.reached:
            return report
        resume_now(root)  # the child was too slow to be seen stopped
        return None

    report = wait_until(pause_that_found_the_child)
    assert not report.complete
    assert [(each.member.identity, each.state) for each in report.missed] == [(root, "D")]
    assert "uninterruptible" in report.missed[0].why
    assert len(report.reached) == 1  # the child, which is stopped again
    child = report.reached[0].member.identity
    # The signal waits in the parent, too: a resume must take it back, or it would stop later.
    assert set(report.suspended) == {root, child}
    assert resume_now(root, only=report.suspended, patience=60).complete

    def open_when_stopped() -> None:
        wait_until(lambda: state_of(child) == "T")
        os.close(os.open(fifo, os.O_WRONLY))  # now the child may go on as soon as the pause lets it

    opened = threading.Thread(target=open_when_stopped)
    opened.start()
    again = pause_now(root, patience=60)
    opened.join(60)
    assert again.complete, again.summary()
    assert {state_of(each.member.identity) for each in again.reached} == {"T"}
    assert resume_now(root, patience=60).complete


def test_the_caller_inside_the_tree_is_left_alone(family: Family) -> None:
    """A process that pauses itself suspends everything but itself, and says so."""
    root = family.start("sleeper", members=1)
    report = pause_now(Identity.mine(), known=[], patience=60)
    assert root in identities(report.reached)
    assert [(each.member.pid, each.why) for each in report.spared] == [(os.getpid(), "it is the caller itself")]
    resume_now(Identity.mine(), only=report.suspended, patience=60)
    assert state_of(root) != "T"


def test_those_above_the_caller_are_left_alone_unless_named(family: Family, tmp_path: Path) -> None:
    """`!tablevault stop this --now` in a cell runs below the kernel that it is to end."""
    for above, expected in ((False, "alive"), (True, "gone")):
        answer = tmp_path / f"answer-{above}"
        caller = tmp_path / "caller.py"
        caller.write_text(
            "import os, pickle, sys\n"
            "from pathlib import Path\n"
            "from tablevault_ext.control.tree import stop_now\n"
            "from tablevault_ext.identity import Identity\n"
            "root = Identity.of(os.getppid())\n"
            f"report = stop_now(root, grace=30, and_ancestors={above})\n"
            f"Path({str(answer)!r} + '.new').write_bytes(pickle.dumps(report))\n"
            f"Path({str(answer)!r} + '.new').rename({str(answer)!r})\n"
        )
        parent = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); "
                f"subprocess.Popen([sys.executable, {str(caller)!r}]); time.sleep(600)",
            ]
        )
        family._started.append(parent)
        root = Identity.of(parent.pid)
        assert root is not None
        wait_until(answer.exists)
        report: TreeReport = pickle.loads(answer.read_bytes())
        whys = {each.member.pid: each.why for each in report.spared}
        assert "it is the caller itself" in whys.values()
        assert root.presence() == expected
        assert (whys.get(root.pid) == "the caller runs below it") is not above
        assert any(each.member.command[:1] == ("sleep",) for each in report.ended)
        parent.kill()
        parent.wait(60)


def test_a_process_of_another_user_is_reported_not_reached(family: Family) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user to be refused")
    root = family.start("parent", "sleeper", members=2)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(65534)
            reports = [pause_now(root, patience=1), stop_now(root, grace=0.2, patience=1)]
            os.write(write, pickle.dumps([(r.complete, [m.why for m in r.missed], r.rounds) for r in reports]))
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as answer:
        paused, stopped = pickle.loads(answer.read())
    assert paused[:2] == stopped[:2] == (False, ["it belongs to another user"] * 2)
    wait_until(lambda: states(family) == {"S"})  # unharmed, they go to sleep


def test_a_tree_that_is_gone_gives_an_empty_answer(family: Family) -> None:
    root = family.start("sleeper", members=1)
    assert len(stop_now(root, grace=60).ended) == 1
    family.reap()
    for report in (pause_now(root), resume_now(root), stop_now(root)):
        assert (report.reached, report.ended, report.missed) == ((), (), ())
        assert report.summary() == f"{report.action}: nothing was there to be reached"


def test_a_zombie_root_is_over_and_its_children_are_still_reached(family: Family) -> None:
    root = family.start("orphaner", "sleeper", members=1)
    (family.folder / "go").touch()
    wait_until(lambda: state_of(root) == "Z")
    report = stop_now(root, marks(family), grace=60)
    assert {each.member.identity: each.how for each in report.ended} == {
        root: How.BY_ITSELF,
        family.one("sleeper"): How.TERM,
    }
    assert next(each.zombie for each in report.ended if each.member.identity == root)


def test_no_zombie_of_ours_stays(family: Family) -> None:
    """Children that nobody waits for are collected on request, with their statuses."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    child = Identity.of(pid)
    assert child is not None
    assert stop_now(child, grace=60).ended[0].zombie
    assert reap([child]) == {child: -signal.SIGTERM}
    assert state_of(child) == ""
    assert reap([child]) == {}


def test_a_server_in_the_tree_survives_its_stop(family: Family) -> None:
    root = family.start("parent", "parent:setsid", members=3)

    def is_server(command: object) -> bool:
        return command[-2:] == ("parent", "setsid")  # type: ignore[index]

    report = stop_now(root, marks(family), grace=60, is_server=is_server)
    assert identities(report.ended) == {root}
    assert [each.why for each in report.spared] == ["it is a server that serves others, too"]
    assert len(family.alive()) == 2


@pytest.mark.parametrize("grace", [-1.0, float("nan")])
def test_a_bad_grace_is_refused_at_the_door(grace: float) -> None:
    with pytest.raises(BadArgument, match="grace is a number of seconds"):
        stop_now(Identity.mine(), grace=grace)


def test_windows_says_in_one_sentence_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    for action in (pause_now, resume_now, stop_now):
        with pytest.raises(UnsupportedPlatform, match="Windows has no signals that suspend"):
            action(Identity.mine())
