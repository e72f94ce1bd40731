"""Why a request that waits for a checkpoint has not been seen yet, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from ..identity import Identity
from .process_table import STOPPED, read_proc_file
from .signals import look

_MUCH_LONGER = 5.0  # times the usual gap between checkpoints

# /proc/PID/syscall gives numbers, which differ between processor types; wchan names are the same everywhere.
_WAITS = (
    ("futex", "waiting for a lock or a thread"),
    ("pipe", "waiting for another program's output or input"),
    ("poll", "waiting for input"),
    ("select", "waiting for input"),
    ("epoll", "waiting for input"),
    ("do_wait", "waiting for a child process to end"),
    ("nanosleep", "sleeping"),
    ("sk_wait", "waiting for the network"),
    ("inet_", "waiting for the network"),
    ("tcp", "waiting for the network"),
    ("unix_stream", "waiting for another process"),
    ("n_tty", "waiting for somebody to type"),
    ("io_schedule", "waiting for the disk"),
)


@dataclass(frozen=True, slots=True)
class WaitState:
    """What the operating system says a process is doing: state letter (empty: gone), and where it waits."""

    state: str
    waits_in: str = ""  # the kernel's name for the place; empty if it runs or that may not be read


@dataclass(frozen=True, slots=True)
class WaitFacts:
    """What is known about a target. Times are seconds; None is what nobody knows.

    ``action`` and ``name`` say what was asked of whom; ``checkpoints`` is how often it has reached one;
    ``usual_gap`` the usual time between two; ``cell`` (its execution count) and ``line`` what runs now.
    """

    action: str
    name: str
    os_state: WaitState = WaitState("R")
    checkpoints: int | None = None
    since_checkpoint: float | None = None
    usual_gap: float | None = None
    cell: int | None = None
    line: int | None = None
    has_checkpoints: bool = True  # False for commands
    held_by: str = ""  # why `no_checkpoint` is in force; empty if it is not


def read_wait_state(identity: Identity) -> WaitState:
    """Ask the operating system what a process is doing right now."""
    row = look(identity)
    if row is None:
        return WaitState("")
    where = read_proc_file(f"/proc/{row.pid}/wchan", 256).decode("ascii", "replace").strip()
    return WaitState(row.state, "" if where in ("", "0") else where)


def why_not_yet(facts: WaitFacts) -> str:
    """Say what a pending request waits for and what can be done about it.

    >>> why_not_yet(WaitFacts("pause", "train", checkpoints=0, cell=3, line=2))
    'train (cell 3, line 2) has no checkpoint yet, so the pause waits for the end of the cell; now=True does not wait'
    """
    state = facts.os_state.state
    who = facts.name + _place(facts)
    if state == "":
        return f"{facts.name} is gone; the {facts.action} will not take effect"
    if state in STOPPED:
        by = "is held by a debugger" if state == "t" else "was suspended from outside (kill -STOP or another tool)"
        return f"{who} {by}, so it cannot reach a checkpoint; resume it first, or use now=True"
    if not facts.has_checkpoints:
        return f"{facts.name} is a command and has no checkpoints; use now=True"
    if facts.held_by:
        return f"{who} has put checkpoints off: {facts.held_by}; now=True does not wait"
    if facts.checkpoints == 0:
        end = "the cell" if facts.cell is not None else "the program"
        return f"{who} has no checkpoint yet, so the {facts.action} waits for the end of {end}; now=True does not wait"
    return f"{who} {_doing(facts)}{_history(facts)}; now=True does not wait"


def _place(facts: WaitFacts) -> str:
    parts = []
    if facts.cell is not None:
        parts.append(f"cell {facts.cell}")
    if facts.line is not None:
        parts.append(f"line {facts.line}")
    return f" ({', '.join(parts)})" if parts else ""


def _doing(facts: WaitFacts) -> str:
    late = _is_late(facts)
    waits_in = facts.os_state.waits_in
    if facts.os_state.state == "D":
        return "is in an uninterruptible wait of the operating system (disk, network file system, driver)"
    wait = next((text for mark, text in _WAITS if mark in waits_in), "")
    if wait:
        return f"is {wait}"
    if facts.os_state.state == "R":
        return "seems to be inside one long call" if late else "is computing"
    return "is waiting" + (f" in {waits_in}" if waits_in else "") + (" inside one long call" if late else "")


def _history(facts: WaitFacts) -> str:
    if facts.since_checkpoint is None:
        return " and has not reached a checkpoint since the request"
    text = f"; its last checkpoint was {_time(facts.since_checkpoint)} ago"
    if facts.usual_gap is not None:
        text += f", usually one comes every {_time(facts.usual_gap)}"
    return text


def _is_late(facts: WaitFacts) -> bool:
    if facts.since_checkpoint is None or facts.usual_gap is None:
        return False
    return facts.since_checkpoint > max(_MUCH_LONGER * facts.usual_gap, 2.0)


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
