"""Processes and requests as tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..control.vitals import Vitals
from ..model import Kind, Outcome, Process, Request, Status
from .table import Table, Text, Value, details_table
from .words import ago, clock, count, duration, shown, size

_COLUMNS = ("PROCESS", "KIND", "STATE", "PID", "STARTED", "FOR", "CPU", "MEMORY", "ABOUT")
_UNKNOWN = Vitals()


def process_table(
    processes: Sequence[Process], vitals: Mapping[str, Vitals] | None = None, *, all_shown: bool = False
) -> Table:
    """What runs (or ran), children below their parents; ``vitals`` by process id, where they were looked for."""
    seen = vitals or {}
    rows: list[Sequence[Value]] = [
        (
            "  " * depth + ("└ " if depth else "") + shown(process.name, 60) + _run(process),
            process.kind.value,
            state(process),
            str(process.pid or ""),
            ago(process.started_at),
            duration(_seconds(process)),
            *(usage(seen.get(process.process_id, _UNKNOWN)) if seen else ()),
            about(process, seen.get(process.process_id, _UNKNOWN)),
        )
        for depth, process in in_tree_order(processes)
    ]
    empty = (
        "Nothing has been recorded in this vault yet."
        if all_shown
        else "Nothing runs. `tablevault ps --all` shows what ran before."
    )
    right, clipped = frozenset({"PID", "CPU", "MEMORY"}), frozenset({"ABOUT"})
    spare = ("STARTED", "PID", "KIND", "FOR")
    columns = [name for name in _COLUMNS if seen or name not in ("CPU", "MEMORY")]
    return Table(columns, rows, empty=empty, right=right, clipped=clipped, spare=spare, data=list(processes))


def usage(vitals: Vitals) -> tuple[str, str]:
    """CPU and memory in words; empty where nobody has looked yet."""
    return ("" if vitals.cpu is None else f"{vitals.cpu:.0f}%"), size(vitals.rss)


def progress_words(vitals: Vitals) -> str:
    """How far it has come, and when it will be there.

    >>> progress_words(Vitals(desc="epoch", done=25, total=100, rate=5.0))
    'epoch 25/100 (25%), ETA 15.0 s'
    """
    if vitals.done is None:
        return ""
    text = f"{vitals.desc or 'step'} {vitals.done:g}"
    if vitals.total:
        text += f"/{vitals.total:g} ({vitals.done / vitals.total:.0%})"
    return text + (f", ETA {duration(vitals.eta)}" if vitals.eta else "")


def in_tree_order(processes: Iterable[Process]) -> Iterator[tuple[int, Process]]:
    """Yield (depth, process): each followed by its children; the order among siblings is kept."""
    listed = {process.process_id: process for process in processes}
    children: dict[str | None, list[Process]] = {}
    for process in listed.values():
        known = process.parent_id if process.parent_id in listed and process.parent_id != process.process_id else None
        children.setdefault(known, []).append(process)
    done: set[str] = set()

    waiting = [(0, process) for process in reversed(children.get(None, []))]
    while waiting or len(done) < len(listed):
        if not waiting:  # parents in a ring: written by hand, but everything is to be seen
            waiting = [(0, next(p for p in listed.values() if p.process_id not in done))]
        depth, process = waiting.pop()
        if process.process_id in done:
            continue
        done.add(process.process_id)
        yield depth, process
        waiting += [(depth + 1, child) for child in reversed(children.get(process.process_id, []))]


def state(process: Process) -> Text:
    """The state in colour, sign and word; a kernel's with what it does."""
    text = process.status.label
    if process.activity and not process.status.ended:
        text += f" · {process.activity}"
    if process.paused_from_outside and process.status is Status.PAUSED:
        text += " · by others"
    return Text(text, process.status.color)


def about(process: Process, vitals: Vitals = _UNKNOWN) -> str:
    """What is most worth knowing of a process, in one line: a pending request, its error, how far it has come."""
    request = process.request
    if request is not None and request.pending:
        return shown(pending_words(request), 100)
    if process.status in (Status.FAILED, Status.LOST, Status.STOPPED):
        return shown(ending(process), 100)
    if vitals.done is not None:
        return shown(progress_words(vitals), 100)
    return shown(process.description or process.notebook or " ".join(process.argv[-3:]), 60)


def ending(process: Process) -> str:
    """How it ended, in a few words."""
    words = []
    if process.exit_signal:
        words.append(f"signal {process.exit_signal}")
    elif process.exit_code:
        words.append(f"exit code {process.exit_code}")
    if process.error:
        words.append(process.error)
    if process.status is Status.LOST:
        words.append("its OS process is gone and wrote no ending")
    return "; ".join(words)


def pending_words(request: Request) -> str:
    """What was asked and what it waits for."""
    text = f"{_asked(request)} asked {ago(request.requested_at)}"
    if request.requested_by:
        text += f" by {request.requested_by}"
    if request.seen_at:
        text += ", seen"
    return text + (f"; {request.waiting_for}" if request.waiting_for else "")


def process_details(process: Process, parent: str = "", vitals: Vitals = _UNKNOWN) -> Table:
    """Everything known of one process, a fact a line."""
    cpu, memory = usage(vitals)
    origin = f", its cell {process.parent_cell}" if process.parent_cell is not None else ""
    facts: list[tuple[str, Value]] = [
        ("state", state(process)),
        ("kind", process.kind.value),
        ("process id", process.process_id),
        ("pid", str(process.pid or "")),
        ("host", process.identity.host if process.identity else ""),
        ("started", _when(process.started_at)),
        ("ended", _when(process.ended_at)),
        ("ran" if process.status.ended else "has run", duration(_seconds(process))),
        ("progress", progress_words(vitals)),
        ("uses", f"{cpu} of a core, {memory}, with all that it started" if cpu and memory else ""),
        ("how it ended", ending(process) if process.status.ended else ""),
        ("user", process.user_id),
        ("parent", f"{parent or process.parent_id}{origin}" if process.parent_id else ""),
        ("notebook", process.notebook or ""),
        ("kernel", process.kernel_id or ""),
        ("file", process.path or ""),
        ("command", " ".join(process.argv)),
        ("directory", process.cwd or ""),
        ("python", process.python or ""),
        ("description", process.description),
    ]
    if not process.controllable and not process.status.ended:
        facts.append(("control", "no checkpoints; only --now reaches it"))
    return details_table(process.address, facts, data=process)


def request_table(requests: Sequence[Request], title: str = "Requests") -> Table:
    """Requests with their receipts and latencies."""
    rows: list[Sequence[Value]] = [
        (
            _asked(request),
            outcome(request),
            clock(request.requested_at),
            request.requested_by,
            duration(request.seen_latency),
            duration(request.effect_latency),
            shown("; ".join(filter(None, (request.reason, request.note, request.waiting_for))), 80),
        )
        for request in requests
    ]
    columns = ("REQUEST", "RECEIPT", "AT", "BY", "SEEN AFTER", "EFFECTIVE AFTER", "ABOUT")
    return Table(columns, rows, title=title, clipped=frozenset({"ABOUT"}), data=list(requests))


def outcome(request: Request) -> Text:
    """A receipt in colour, sign and word."""
    looks = {
        None: ("🟡 seen" if request.seen_at else "🟡 requested", "yellow"),
        Outcome.EFFECTIVE: ("✅ effective", "green"),
        Outcome.WITHDRAWN: ("↩ withdrawn", "cyan"),
        Outcome.SUPERSEDED: ("↩ superseded", "cyan"),
        Outcome.FAILED: ("❌ failed", "red"),
        Outcome.INTERRUPTED: ("❌ interrupted", "red"),
        Outcome.LOST: ("❔ lost", "magenta"),
    }
    return Text(*looks[request.outcome])


def ended_by_now(process: Process, descendants: Sequence[str]) -> str:
    """The question before a stop that destroys: it names what will be ended."""
    text = f"This ends {process.address} ({process.kind.value}, pid {process.pid})"
    if descendants:
        names = ", ".join(shown(name, 40) for name in descendants[:5])
        more = f" and {len(descendants) - 5} more" if len(descendants) > 5 else ""
        text += f" and {count(len(descendants), 'process', 'processes')} below it: {names}{more}"
    if process.kind is Kind.NOTEBOOK:
        text += "; what is in the kernel's memory is lost"
    return text + "."


def _asked(request: Request) -> str:
    return request.action.value + (" now" if request.now else "") + (", keep kernel" if request.keep_kernel else "")


def _run(process: Process) -> str:
    return f"#{process.run}" if process.run > 1 else ""


def _when(us: int | None) -> str:
    return f"{clock(us)} ({ago(us)})" if us else ""


def _seconds(process: Process) -> float | None:
    if process.started_at is None:
        return None
    end = process.ended_at
    if end is None:
        if process.status.ended:
            return None  # lost: nobody knows when
        end = time.time_ns() // 1000
    return max(0.0, (end - process.started_at) / 1e6)
