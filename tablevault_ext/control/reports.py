"""What a now-request did, member by member: only what was observed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from ..identity import Identity
from .descendants import Member


class How(StrEnum):
    """How a process ended during a stop."""

    BY_ITSELF = "by itself"  # before any signal of ours
    TERM = "term"  # after SIGTERM, within the grace
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Reached:
    """A member that was observed in the wanted state.

    ``state`` is the letter that was observed, ``already`` whether it was so before we did anything,
    ``seconds`` the time from the beginning of the action.
    """

    member: Member
    state: str
    already: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A member that is over.

    ``exit_status`` is its code, or minus the signal, where it was a child of the caller; else None.
    ``zombie``: its parent has not collected it yet; nothing of it runs.
    """

    member: Member
    how: How
    exit_status: int | None
    zombie: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Missed:
    """A member that was not brought into the wanted state, and why. ``state`` is what was seen last."""

    member: Member
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Spared:
    """A process in the tree that was left alone on purpose, and why."""

    member: Member
    why: str


@dataclass(frozen=True, slots=True)
class TreeReport:
    """The answer of `pause_now`, `resume_now` and `stop_now`.

    ``suspended`` is whom a pause suspended: what `resume_now(only=...)` is to continue, and nobody else. It holds
    those, too, in which the signal had not shown its effect yet: it will. ``rounds`` counts the readings of the
    process table, ``seconds`` is the duration of the whole.
    """

    action: str
    root: Identity
    reached: tuple[Reached, ...]
    ended: tuple[Ended, ...]
    missed: tuple[Missed, ...]
    spared: tuple[Spared, ...]
    rounds: int
    seconds: float
    suspended: tuple[Identity, ...] = ()

    @property
    def complete(self) -> bool:
        """Every member that was to be reached was observed in the wanted state."""
        return not self.missed

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "complete": self.complete}

    def summary(self) -> str:
        """One line for people.

        >>> report = TreeReport("pause", Identity.mine(), (), (), (), (), rounds=1, seconds=0.002)
        >>> report.summary()
        'pause: nothing was there to be reached'
        """
        parts = []
        if self.reached:
            done = {"pause": "paused", "resume": "running"}.get(self.action, "reached")
            parts.append(f"{_count(len(self.reached))} {done}")
        for how, text in (
            (How.TERM, "ended after SIGTERM"),
            (How.KILL, "killed"),
            (How.BY_ITSELF, "ended by itself"),
        ):
            if number := sum(1 for each in self.ended if each.how is how):
                parts.append(f"{number} {text}")
        if self.missed:
            parts.append("NOT reached: " + _some([f"{_name(each.member)}: {each.why}" for each in self.missed]))
        if self.spared:
            parts.append("left alone: " + _some([f"{_name(each.member)}: {each.why}" for each in self.spared]))
        if not parts:
            return f"{self.action}: nothing was there to be reached"
        return f"{self.action}: " + "; ".join(parts) + f" ({self.seconds * 1000:.0f} ms)"


def _count(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _name(member: Member) -> str:
    return f"{member.pid} ({PurePath(member.command[0]).name})" if member.command else str(member.pid)


def _some(texts: list[str], most: int = 5) -> str:
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")
