"""Suspend a whole tree, while it forks, until a reading of the process table shows that none is left running.

Root first: a living parent could fork more while its children are being stopped. The proof at the end is a reading
that *began after* every known member had been observed stopped and that shows nobody new: a child is born before
its parent stops, so it would be in that reading.
"""

from __future__ import annotations

import os
import signal
import time

from ..identity import Identity
from .descendants import Finder, Member, Tree
from .process_table import Row, running_threads
from .reports import Missed, Reached, Spared
from .signals import Delivery, look, send

_STUCK_AFTER = 0.02  # seconds after which a process in state D is looked at more closely
_LEAST = 0.1  # seconds that a signal sent at the last moment has to show its effect
_WHY_NOT = {
    Delivery.DENIED: "it belongs to another user",
    Delivery.ELSEWHERE: "it runs on another host or in another PID namespace",
    Delivery.REFUSED: "pid 1 is never signalled",
    Delivery.REUSED: "its pid belongs to another process now",
}


class Freezer:
    """One pause of one tree. ``run`` may be called again: it stops what runs by then."""

    def __init__(self, finder: Finder, *, and_ancestors: bool = False) -> None:
        self.finder = finder
        self.and_ancestors = and_ancestors
        self.began = time.monotonic()
        self.rounds = 0
        self.members: dict[Identity, Member] = {}  # everybody met, zombies too
        self.present: set[Identity] = set()  # who was there at the last look
        self.told: dict[Identity, None] = {}  # who got our SIGSTOP, whether its effect was seen or not
        self.reached: dict[Identity, Reached] = {}
        self.denied: dict[Identity, Missed] = {}  # cannot be signalled at all
        self.late: dict[Identity, Missed] = {}  # signalled, but without the effect that was to be seen
        self.spared: dict[Identity, Spared] = {}

    def look(self) -> list[Member]:
        """List the members that are to be signalled, root first; zombies are not."""
        tree = self.finder.look()
        self.rounds += 1
        members, spared = split(tree, and_ancestors=self.and_ancestors)
        self.members.update((member.identity, member) for member in members)
        self.spared.update((each.member.identity, each) for each in spared)
        targets = [member for member in members if not member.zombie]
        self.present = {member.identity for member in targets}
        return [member for member in targets if member.identity not in self.denied]

    def run(self, patience: float) -> None:
        """Stop everything; give up on what is not stopped after ``patience`` seconds."""
        deadline = time.monotonic() + patience
        seen: set[Identity] = set()
        self.late.clear()
        while True:
            targets = self.look()
            fresh = [member for member in targets if member.identity not in seen]
            seen.update(member.identity for member in fresh)
            for member in fresh:
                if member.stopped:
                    self._reach(member, member.state)
            busy = [member for member in targets if not _is_still(member)]
            if not busy and not fresh:
                return
            for member in busy:
                self.reached.pop(member.identity, None)
                if self.tell(member, signal.SIGSTOP):
                    self.told[member.identity] = None
            if self._observe(busy, deadline):
                continue
            if time.monotonic() > deadline:
                self._give_up()
                return

    def tell(self, member: Member, signum: int) -> bool:
        """Send a signal and note why it could not be sent."""
        delivery = send(member.identity, signum)
        if delivery in _WHY_NOT:
            self.denied[member.identity] = Missed(member, member.state, _WHY_NOT[delivery])
        return delivery is Delivery.SENT

    def _observe(self, members: list[Member], deadline: float) -> bool:
        """Wait until all are seen stopped or gone. True if somebody was let go again to unlock a parent."""
        waiting = [member for member in members if member.identity not in self.denied]
        since = time.monotonic()
        delay = 0.0002
        while True:
            waiting = [member for member in waiting if not self._is_settled(member)]
            now = time.monotonic()
            if not waiting or now > max(deadline, since + _LEAST):
                return False
            if now < deadline and now - since > _STUCK_AFTER and self._unlock(waiting):
                return True
            time.sleep(delay)
            delay = min(delay * 2, 0.005)

    def _is_settled(self, member: Member) -> bool:
        row = look(member.identity)
        if row is None:
            return True
        if _is_still(row):
            self._reach(member, row.state)
            return True
        return False

    def _reach(self, member: Member, state: str) -> None:
        already = member.identity not in self.told
        self.reached[member.identity] = Reached(member, state, already, time.monotonic() - self.began)

    def _unlock(self, waiting: list[Member]) -> bool:
        """Let a vfork child go on to its exec, without which its parent can never stop.

        subprocess starts programs with vfork: the parent waits uninterruptibly until the child has exec'd. If
        the child is stopped in between, both hang. Such a child still shares its parent's memory image.
        """
        rows = {member.pid: row for member in waiting if (row := look(member.identity)) and row.state == "D"}
        freed = False
        for each in list(self.reached.values()):
            parent = rows.get(each.member.ppid)
            child = look(each.member.identity) if parent is not None and not each.already else None
            if parent is not None and child is not None and child.image == parent.image:
                del self.reached[each.member.identity]
                freed |= send(each.member.identity, signal.SIGCONT) is Delivery.SENT
        if freed:
            time.sleep(0.005)
        return freed

    def _give_up(self) -> None:
        """Look once more: whoever runs then was missed, those included that a tree still growing brought forth."""
        for member in self.look():
            if _is_still(member):
                if member.identity not in self.reached:
                    self._reach(member, member.state)
            else:
                self.reached.pop(member.identity, None)
                self.late[member.identity] = Missed(member, member.state, _why_running(member))


def split(tree: Tree, *, and_ancestors: bool) -> tuple[list[Member], list[Spared]]:
    """Whom to signal, and whom to leave alone: servers, the caller and, unless told otherwise, those above it."""
    targets: list[Member] = []
    spared = [Spared(member, "it is a server that serves others, too") for member in tree.servers]
    for member in tree.members:
        if member.pid == os.getpid():
            spared.append(Spared(member, "it is the caller itself"))
        elif member.pid in tree.above and not and_ancestors:
            spared.append(Spared(member, "the caller runs below it"))
        else:
            targets.append(member)
    return targets, spared


def _is_still(process: Member | Row) -> bool:
    """Stopped with all its threads."""
    if process.stopped:
        return process.threads <= 1 or running_threads(process.pid) == 0
    return process.state == "Z" and running_threads(process.pid) == 0


def _why_running(member: Member) -> str:
    if member.state == "D":
        return "it is inside an uninterruptible wait of the operating system (disk, driver, or a child's start)"
    return "it was not seen stopped in time"
