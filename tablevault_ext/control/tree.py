"""Pause, resume and stop a whole process tree now, by signals, and say what was observed.

The contract is DESIGN.md, "Stop, pause, resume", column *now*: pause root first until none runs, resume leaves first,
stop with TERM, then CONT, a grace, then KILL.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Iterable, Sequence

from ..errors import BadArgument
from ..identity import Identity
from .descendants import NO_MARKS, Finder, Member
from .freeze import Freezer
from .marks import Marks
from .process_table import read_row
from .reports import Ended, How, Missed, Reached, Spared, TreeReport
from .servers import looks_like_server
from .signals import exit_status, look, require_signals, wait_for_end

DEFAULT_GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL (seeds/training-process-control.md)."""

_UNKILLED = "it was killed but has not gone yet: it is inside an uninterruptible wait of the operating system"

_FOLLOWING = 1.0
"""Seconds that multiprocessing's resource tracker has to end when nobody else is left."""

_IsServer = Callable[[Sequence[str]], bool]


def pause_now(
    root: Identity,
    marks: Marks = NO_MARKS,
    *,
    known: Iterable[Identity] = (),
    patience: float = 10.0,
    and_ancestors: bool = False,
    is_server: _IsServer = looks_like_server,
) -> TreeReport:
    """Suspend a process and everything that belongs to it (SIGSTOP), until none is left running.

    What is in ``reached`` was observed suspended in the process table, with all its threads. What was suspended
    already (by others) is marked so and is not in ``suspended``.

    Args:
        root: the process; it may be the caller: then everything but the caller is suspended.
        marks: by what else its members are known.
        known: members seen earlier.
        patience: seconds after which a process that does not stop (a hanging disk) is reported as missed.
        and_ancestors: signal also what the caller runs below.
        is_server: says of a command line that it must be left alone.

    Raises:
        UnsupportedPlatform: on Windows.
    """
    require_signals()
    freezer = Freezer(Finder(root, marks, known=known, is_server=is_server), and_ancestors=and_ancestors)
    freezer.run(patience)
    return _report("pause", root, freezer)


def resume_now(
    root: Identity,
    marks: Marks = NO_MARKS,
    *,
    only: Collection[Identity] | None = None,
    known: Iterable[Identity] = (),
    patience: float = 5.0,
    and_ancestors: bool = False,
    is_server: _IsServer = looks_like_server,
) -> TreeReport:
    """Continue a process and everything that belongs to it (SIGCONT), leaves first.

    What is in ``reached`` was observed not suspended any more.

    Args:
        only: continue just these (`TreeReport.suspended` of the pause); what others suspended stays so and is
            reported as spared. None continues all.
        patience: seconds to wait for what does not continue.

    Other arguments and errors as in `pause_now`.
    """
    require_signals()
    finder = Finder(root, marks, known=[*known, *(only or ())], is_server=is_server)
    freezer = Freezer(finder, and_ancestors=and_ancestors)
    targets = freezer.look()
    if only is not None:
        foreign = [member for member in targets if member.identity not in only]
        for member in foreign:
            if member.stopped:
                freezer.spared[member.identity] = Spared(member, "it was suspended by somebody else")
        targets = [member for member in targets if member.identity in only]
    told = [member for member in _leaves_first(targets) if freezer.tell(member, signal.SIGCONT)]
    _observe_running(freezer, told, time.monotonic() + patience)
    freezer.look()
    return _report("resume", root, freezer)


def stop_now(
    root: Identity,
    marks: Marks = NO_MARKS,
    *,
    grace: float = DEFAULT_GRACE,
    known: Iterable[Identity] = (),
    patience: float = 10.0,
    and_ancestors: bool = False,
    is_server: _IsServer = looks_like_server,
) -> TreeReport:
    """End a process and everything that belongs to it: SIGTERM, SIGCONT, a grace, SIGKILL.

    ``ended`` lists who ended and how, ``missed`` what is left and why. Children of the caller become zombies
    until their owner waits for them; see `signals.reap`.

    Args:
        grace: seconds that a process has after SIGTERM to end by itself; 0 kills at once.
        patience: seconds to wait for the effect of SIGKILL.

    Other arguments and errors as in `pause_now`.
    """
    require_signals()
    if not grace >= 0:
        raise BadArgument(f"grace is a number of seconds, 0 or more, not {grace!r}")
    freezer = Freezer(Finder(root, marks, known=known, is_server=is_server), and_ancestors=and_ancestors)
    stop = _Stop(freezer)
    if grace > 0:
        stop.ask(time.monotonic() + grace)
    stop.kill(time.monotonic() + patience)
    return _report("stop", root, freezer, stop.ended())


class _Stop:
    """One stop of one tree."""

    def __init__(self, freezer: Freezer) -> None:
        self._freezer = freezer
        self._signalled: dict[Identity, How] = {}
        self._ended: dict[Identity, Ended] = {}

    def ask(self, deadline: float) -> None:
        """SIGTERM to all, SIGCONT so that stopped ones hear it; the same for whoever appears until the deadline."""
        step = 0.05
        while targets := self._freezer.look():
            fresh = [member for member in targets if member.identity not in self._signalled]
            for member in fresh:
                if self._freezer.tell(member, signal.SIGTERM):
                    self._signalled[member.identity] = How.TERM
            for member in _leaves_first(fresh):
                self._freezer.tell(member, signal.SIGCONT)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if all(_follows_its_users(member) for member in targets):
                deadline = min(deadline, time.monotonic() + _FOLLOWING)
            wait_for_end([member.identity for member in targets], min(step, left))
            self._note_ended()
            step = min(step * 1.5, 0.25)

    def kill(self, deadline: float) -> None:
        """Freeze what is left, so that it cannot fork, and kill it; again until nothing is left.

        Leaves first: the death of a parent makes the system continue its stopped children (POSIX, orphaned groups).
        """
        while self._freezer.look():
            self._freezer.run(max(deadline - time.monotonic(), 0.0))
            targets = self._freezer.look()
            for member in _leaves_first(targets):
                if self._freezer.tell(member, signal.SIGKILL):
                    self._signalled[member.identity] = How.KILL
            left = deadline - time.monotonic()
            wait_for_end([member.identity for member in targets], max(min(0.5, left), 0.05))
            self._note_ended()
            if left <= 0:
                break
        self._freezer.reached.clear()
        self._freezer.late.clear()
        for member in self._freezer.look():
            self._freezer.late[member.identity] = Missed(member, member.state, _UNKILLED)

    def ended(self) -> tuple[Ended, ...]:
        self._note_ended()
        return tuple(self._ended.values())

    def _note_ended(self) -> None:
        for identity, member in self._freezer.members.items():
            if identity not in self._ended and look(identity) is None:
                how = self._signalled.get(identity, How.BY_ITSELF)
                self._ended[identity] = _ended(member, how, self._freezer.began)


def _observe_running(freezer: Freezer, members: list[Member], deadline: float) -> None:
    waiting = members
    while waiting:
        still = []
        for member in waiting:
            row = look(member.identity)
            if row is not None and not row.stopped:
                seconds = time.monotonic() - freezer.began
                freezer.reached[member.identity] = Reached(member, row.state, not member.stopped, seconds)
            elif row is not None:
                still.append(member)
        waiting = still
        if waiting and time.monotonic() > deadline:
            for member in waiting:
                why = "a debugger holds it" if member.state == "t" else "it is still, or again, suspended"
                freezer.late[member.identity] = Missed(member, "T", why)
            return
        if waiting:
            time.sleep(0.001)


def _follows_its_users(member: Member) -> bool:
    """Whether this is multiprocessing's resource tracker: deaf to SIGTERM, it ends when all its users have.

    Nobody should wait a grace for it, nor kill it earlier than needed: it removes what the others left in /dev/shm.
    """
    return any(word.startswith("from multiprocessing.resource_tracker import main") for word in member.command)


def _leaves_first(members: Iterable[Member]) -> list[Member]:
    return sorted(members, key=lambda member: -member.depth)


def _ended(member: Member, how: How, began: float) -> Ended:
    row = read_row(member.pid)
    zombie = row is not None and row.start == member.identity.start and row.zombie
    return Ended(member, how, exit_status(member.identity), zombie, time.monotonic() - began)


def _report(action: str, root: Identity, freezer: Freezer, ended: Iterable[Ended] | None = None) -> TreeReport:
    """Who ended is told from the last look, unless it is given."""
    if ended is None:
        gone = [member for identity, member in freezer.members.items() if identity not in freezer.present]
        ended = [_ended(member, How.BY_ITSELF, freezer.began) for member in gone]
    over = {each.member.identity for each in ended}
    reached = [each for identity, each in freezer.reached.items() if identity not in over]
    missed = {**freezer.denied, **freezer.late}
    return TreeReport(
        action,
        root,
        tuple(sorted(reached, key=lambda each: _age(each.member))),
        tuple(sorted(ended, key=lambda each: _age(each.member))),
        tuple(each for identity, each in missed.items() if identity not in over),
        tuple(freezer.spared.values()),
        freezer.rounds,
        time.monotonic() - freezer.began,
        tuple(identity for identity in freezer.told if identity in freezer.present) if action == "pause" else (),
    )


def _age(member: Member) -> tuple[int, int]:
    return member.depth, member.identity.start
