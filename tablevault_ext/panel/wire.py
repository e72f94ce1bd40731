"""Processes, requests, cells and errors in the words of the contract (`server/openapi.yaml`)."""

from __future__ import annotations

import re
import signal
import time
from datetime import datetime
from functools import cache
from pathlib import PurePath
from typing import Any

from ..errors import DatabaseDamaged, DatabaseHeld, VaultUnusable
from ..identity import host
from ..journal.control_block import ControlReading
from ..model import Action, Kind, Outcome, Process, Request, Status, iso
from .facts import Bar, CurrentCell, Facts

Json = dict[str, Any]

_BOOTSTRAP = ["-m", "tablevault_ext.bootstrap"]
_HOLDER = re.compile(r"'?(.*?)'? ?\(pid (\d+)\)")
_CODE, _TAIL, _TEXT = 4000, 1000, 1_000_000


def process_json(process: Process, facts: Facts) -> Json:
    """The fields that change only with the process's own files; `live_json` gives the others."""
    ended = process.status.ended
    who = process.identity
    return {
        "process_id": process.process_id,
        "name": process.name or process.process_id,
        "run": process.run or 1,
        "kind": process.kind.value,
        "status": process.status.value,
        "activity": None if ended or process.kind is not Kind.NOTEBOOK else "busy" if facts.running else "idle",
        "user_id": process.user_id,
        "host": who.host if who else None,
        "pid": process.pid,
        "parent_id": process.parent_id,
        "parent_cell": process.parent_cell,
        "started_at": iso(process.started_at or started_by_id(process.process_id)),
        "ended_at": iso(process.ended_at),
        "exit_code": process.exit_code,
        "exit_signal": signal_name(process.exit_signal),
        "error": process.error,
        "path": process.path or process.notebook,
        "argv": command_of(process.argv) or None,
        "cwd": process.cwd,
        "python": process.python,
        "kernel_id": process.kernel_id,
        "notebook": None,
        "description": process.description or None,
        "paused_from_outside": process.paused_from_outside,
        "request": None,
        "refusals": refusals(process),
        "current_cell": None if ended else cell_now_json(facts.current_cell),
        "last_checkpoint_at": None,
        "checkpoint_interval": None,
        "checkpoints": 0,
        "cells": facts.cells,
        "errors": facts.errors,
        "children": {"worker": 0, "command": 0, "script": 0, "notebook": 0, "unrecorded": 0},
        "actors": 0 if ended else facts.living_actors,
        "progress": bar_json(facts.bar, process.status),
        "resources": None,
    }


def live_json(reading: ControlReading | None) -> Json:
    """What the control block says."""
    if reading is None:
        return {}
    last = reading.last_checkpoint
    return {
        "last_checkpoint_at": iso(wall_us(last)) if last else None,
        "checkpoint_interval": round(reading.usual_gap, 6) or None,
        "checkpoints": reading.checkpoints,
    }


@cache
def _clock_offset() -> int:
    return time.time_ns() - time.monotonic_ns()


def wall_us(monotonic_ns: int) -> int:
    """Monotonic nanoseconds of this boot as microseconds since the epoch; the same for the same value."""
    if abs(time.time_ns() - time.monotonic_ns() - _clock_offset()) > 10**9:
        _clock_offset.cache_clear()  # the clock was set
    return (monotonic_ns + _clock_offset()) // 1000


def request_of(process: Process) -> Request | None:
    """The pending request; else the one that caused the present paused or stopped state."""
    if process.request is not None:
        return process.request
    wanted = {Status.STOPPED: Action.STOP, Status.PAUSED: Action.PAUSE}.get(process.status)
    caused = [
        r for r in process.requests.values() if r.action is wanted and r.outcome is Outcome.EFFECTIVE and not r.actor
    ]
    return caused[-1] if caused else None


def request_json(request: Request, place: str | None = None) -> Json:
    detail = request.detail
    told: Json = {key: value for key, value in detail.items() if key not in ("report", "summary")}
    told["place"] = place
    told["reached"], told["not_reached"] = _reached(detail.get("report") or {})
    told["threads"] = detail.get("threads_running_on")
    told["message"] = request.note or None
    return {
        "request_id": request.request_id,
        "process_id": request.process_id,
        "action": request.action.value,
        "now": request.now,
        "keep_kernel": request.keep_kernel,
        "grace": request.grace,
        "escalate": request.escalate,
        "requested_by": request.requested_by,
        "reason": request.reason,
        "requested_at": iso(request.requested_at),
        "seen_at": iso(request.seen_at),
        "effective_at": iso(request.effective_at),
        "outcome": None if request.outcome is None else request.outcome.value,
        "waiting_for": (request.waiting_for or None) if request.pending else None,
        "latency": request.effect_latency,
        "detail": told,
    }


def _reached(report: Json) -> tuple[list[Json], list[Json]]:
    reached = [_member(each["member"]) for key in ("reached", "ended") for each in report.get(key, ())]
    return reached, [_member(each["member"]) for each in report.get("missed", ())]


def _member(member: Json) -> Json:
    command = member.get("command") or []
    return os_process((member.get("identity") or {}).get("pid"), command)


def os_process(
    pid: int | None,
    command: list[str] | tuple[str, ...],
    *,
    name: str | None = None,
    kind: str | None = None,
    process_id: str | None = None,
    rss: int | None = None,
) -> Json:
    return {
        "pid": pid,
        "name": name or (PurePath(command[0]).name if command and command[0] else "") or f"pid {pid}",
        "kind": kind,
        "process_id": process_id,
        "cmdline": " ".join(command)[:1000] or None,
        "rss": rss,
    }


def cell_now_json(cell: CurrentCell | None) -> Json | None:
    if cell is None:
        return None
    return {
        "seq": cell.seq,
        "cell_id": cell.cell_id,
        "execution_count": cell.execution_count,
        "code": cell.code,
        "started_at": iso(cell.started_at),
    }


def bar_json(bar: Bar | None, status: Status) -> Json | None:
    if bar is None:
        return None
    rate = None if status.at_rest else bar.rate
    left = None if bar.total is None else max(bar.total - bar.done, 0)
    return {
        "desc": bar.desc,
        "done": bar.done,
        "total": bar.total,
        "rate": rate,
        "eta": left / rate if left is not None and rate else None,
        "updated_at": iso(bar.updated_at),
    }


def cell_json(row: Json, *, whole: bool) -> Json:
    """A row of the table `cells`."""
    code, tail = row["code"] or "", row["output_tail"]
    return {
        "seq": row["seq"],
        "cell_id": row["cell_id"],
        "execution_count": row["execution_count"],
        "code": code if whole else code[:_CODE],
        "code_truncated": not whole and len(code) > _CODE,
        "private": bool(row["private"]),
        "status": row["status"],
        "started_at": moment(row["started_at"] or row["ended_at"]) or iso(0),
        "ended_at": moment(row["ended_at"]),
        "duration": row["duration"],
        "error_type": row["error_type"],
        "error_message": row["error_message"],
        "output_tail": tail if whole or tail is None else tail[-_TAIL:],
    }


def error_json(row: Json) -> Json:
    """A row of the view `errors`, with the cell's id and execution count."""
    return {
        "seq": row["cell_seq"],
        "cell_id": row["cell_id"],
        "execution_count": row["execution_count"],
        "source": row["source"] or "cell",
        "error_type": row["error_type"] or "",
        "error_message": row["error_message"] or "",
        "traceback": (row["traceback"] or "")[-_TEXT:],
        "at": moment(row["happened_at"]),
    }


def refusals(process: Process) -> dict[str, str]:
    """What is refused for a reason that the state alone does not show."""
    refused = {}
    who = process.identity
    if process.kind not in (Kind.SCRIPT, Kind.COMMAND):
        refused["run_again"] = "Only scripts and commands can be run again."
    elif not process.argv:
        refused["run_again"] = "Its command line was not recorded."
    if process.status.ended:
        return refused
    if who is not None and who.host != host():
        reason = f"It runs on {who.host}; it can be controlled there, but not from here."
        refused |= dict.fromkeys(("stop", "pause", "resume"), reason)
    elif process.status is Status.UNKNOWN:
        reason = "It runs in another PID namespace (a container), where it cannot be seen from here."
        refused |= dict.fromkeys(("stop", "pause", "resume"), reason)
    return refused


def command_of(argv: list[str]) -> list[str]:
    """The command line as the user gave it, without what `tablevault run` puts before a script.

    >>> command_of(["/usr/bin/python3", "-m", "tablevault_ext.bootstrap", "train.py", "--lr", "0.1"])
    ['train.py', '--lr', '0.1']
    """
    return argv[3:] if argv[1:3] == _BOOTSTRAP else argv


def signal_name(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def moment(value: datetime | None) -> str | None:
    """A time as DuckDB gives it (UTC) in ISO 8601."""
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def started_by_id(process_id: str) -> int:
    """Microseconds since the epoch: when a process id was made."""
    try:
        return int(datetime.strptime(process_id[:15] + "+0000", "%Y%m%dT%H%M%S%z").timestamp() * 1e6)
    except ValueError:
        return 0


# Why an answer may be incomplete


def notice(kind: str, message: str, holder: str = "") -> Json:
    found = _HOLDER.fullmatch(holder)
    return {
        "kind": kind,
        "message": sentence(message),
        "holder": {"pid": int(found[2]), "name": found[1] or None} if found else None,
    }


def notice_of(error: Exception) -> Json:
    """What an error of the store means for whoever looks at the panel."""
    text = str(error)
    if isinstance(error, DatabaseHeld):
        return notice("locked", text, error.holder)
    if isinstance(error, DatabaseDamaged):
        return notice("corrupt", text)
    if isinstance(error, VaultUnusable) and "newer" in text:
        return notice("newer", text)
    if isinstance(error, OSError) and "No space" in text:
        return notice("full", text)
    if isinstance(error, VaultUnusable | OSError):
        return notice("permission", text)
    return notice("behind", text)


_KINDS = {"held": "locked", "damaged": "corrupt", "unwritable": "permission"}


def notice_of_snapshot(kind: str, message: str, holder: str) -> Json:
    """A notice of `store.snapshot`."""
    if kind == "unwritable" and "space" in message:
        return notice("full", message)
    return notice(_KINDS.get(kind, "behind"), message, holder)


_OPENERS = ("the ", "there ", "it ", "no ", "this ", "a ", "only ", "nothing ", "somebody ")


def sentence(text: str) -> str:
    """With a full stop, and a capital letter unless it begins with a name.

    >>> sentence("the vault is gone"), sentence("grace must be a number")
    ('The vault is gone.', 'grace must be a number.')
    """
    text = text.strip()
    if text.startswith(_OPENERS):
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", "?", "!")) else text + "."
