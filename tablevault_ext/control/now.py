"""The now-way: signals to a whole tree, carried out and observed by the requester, written into the inbox."""

from __future__ import annotations

import time
from typing import Any

from ..errors import NoControl, WrongState
from ..identity import Identity, Presence, boot_id
from ..journal.control_block import mappings_of
from ..journal.inbox import append_to_inbox, locked_inbox
from ..journal.process_state import ProcessReader, read_process, recorded_descendants
from ..journal.servers import serving_kernel
from ..model import Action, Kind, Outcome, Process, Request, Status, mono_us, now_us
from ..paths import VaultPaths
from . import tree
from .descendants import find_descendants
from .marks import Marks
from .reports import TreeReport
from .requests import new_request, refuse_unreachable

ENV_PARENT = "TABLEVAULT_PARENT"
_SERVER_PATIENCE = 8.0  # seconds that a Jupyter Server gets to end its kernel


def marks_of(paths: VaultPaths, process_id: str) -> Marks:
    """By what the descendants of a recorded process are known: its token in their environment, its control block."""
    return Marks(((ENV_PARENT, process_id),), mappings_of(paths, process_id))


def marks_of_tree(paths: VaultPaths, process_id: str) -> Marks:
    """The marks of a recorded process and of every recorded process below it: what a dead child left behind counts."""
    everybody = [process_id, *recorded_descendants(paths, process_id)]
    return Marks(
        tuple((ENV_PARENT, each) for each in everybody), tuple(paths.control_block(each) for each in everybody)
    )


def is_suspended_now(process: Process) -> bool:
    """Whether the operating system shows a process suspended."""
    return bool(process.identity and process.identity.suspended())


def ask_now(
    paths: VaultPaths, process: Process, action: Action, *, by: str = "", reason: str = "", grace: float = 30.0
) -> Request:
    """Pause, resume or stop a process and its whole tree with signals; return what was observed.

    The wish is written into the inbox before, the observation after: if this requester dies between the two,
    the request stays without an outcome, and the process shows what it is.

    Raises:
        ProcessEnded, WrongState, NoControl: nothing was signalled.
    """
    refuse_unreachable(process, action)
    identity = process.identity
    if identity is None:
        raise NoControl(f"the identity of {process.address} is not known, so it is not signalled")
    if action is Action.RESUME and not is_suspended_now(process):
        raise WrongState(f"{process.address} is not suspended (it is {process.status})")
    with locked_inbox(paths, process.process_id):
        request = new_request(process, action, by=by, reason=reason, now=True, grace=grace)
        append_to_inbox(paths, process.process_id, request.line())
    by_server = action is Action.STOP and process.kind is Kind.NOTEBOOK and _ended_by_server(paths, process)
    report = _signal(paths, process, identity, action, grace)  # after a server: whatever outlived the kernel
    detail: dict[str, Any] = {"report": report.to_json(), "summary": report.summary()}
    if by_server:
        detail["ended_by"] = "its Jupyter Server"
        detail["summary"] = "ended by its Jupyter Server" + (f"; {report.summary()}" if report.ended else "")
    gone = identity.presence() is Presence.GONE
    if action is Action.PAUSE:
        done = report.complete and bool(identity.suspended())
        return _written(paths, request, _outcome(done), status=Status.PAUSED if done else None, detail=detail)
    if action is Action.RESUME:
        done = report.complete and identity.suspended() is False
        detail["also_at_checkpoint"] = read_process(paths, process.process_id).status is Status.PAUSED
        return _written(paths, request, _outcome(done), status=Status.RUNNING if done else None, detail=detail)
    return _written(paths, request, _outcome(report.complete and gone), ended=gone, detail=detail)


def end_survivors(
    paths: VaultPaths, process: Process, *, by: str = "", reason: str = "", grace: float = 30.0
) -> Request | None:
    """End what a process that is over has left running; None when nothing of it runs.

    Orphans are found by the mark of their parent, or of a recorded process below it, in their environment.
    """
    if process.identity is None:
        return None
    marks = marks_of_tree(paths, process.process_id)
    members = find_descendants(process.identity, marks).members
    if not any(not member.zombie and member.identity != process.identity for member in members):
        return None
    with locked_inbox(paths, process.process_id):
        request = new_request(process, Action.STOP, by=by, reason=reason, now=True, grace=grace)
        append_to_inbox(paths, process.process_id, request.line())
    report = tree.stop_now(process.identity, marks, grace=grace)
    detail = {"report": report.to_json(), "summary": report.summary(), "survivors": True}
    return _written(paths, request, _outcome(report.complete), detail=detail)


def _signal(paths: VaultPaths, process: Process, identity: Identity, action: Action, grace: float) -> TreeReport:
    marks = marks_of_tree(paths, process.process_id)
    if action is Action.PAUSE:
        return tree.pause_now(identity, marks)
    if action is Action.RESUME:
        return tree.resume_now(identity, marks)
    return tree.stop_now(identity, marks, grace=grace)


def _outcome(done: bool) -> Outcome:
    return Outcome.EFFECTIVE if done else Outcome.FAILED


def _ended_by_server(paths: VaultPaths, process: Process) -> bool:
    """Leave a kernel to the server that looks after it; otherwise the server would restart it as crashed."""
    if serving_kernel(paths, process) is None:
        return False
    reader = ProcessReader(paths, process.process_id)
    deadline = time.monotonic() + _SERVER_PATIENCE
    while time.monotonic() < deadline:
        if reader.read().status.ended:
            return True
        time.sleep(0.05)
    return False


def _written(
    paths: VaultPaths,
    request: Request,
    outcome: Outcome,
    *,
    status: Status | None = None,
    ended: bool = False,
    detail: dict[str, Any],
) -> Request:
    line: dict[str, Any] = {
        "e": "observed",
        "id": request.request_id,
        "at": now_us(),
        "boot": boot_id(),
        "mono": mono_us(),
        "outcome": outcome.value,
        "detail": detail,
        "note": detail.get("summary", ""),
    }
    if status is not None:
        line["status"] = status.value
    if ended:
        line |= {"ended": True, "status": Status.STOPPED.value}
    with locked_inbox(paths, request.process_id):
        append_to_inbox(paths, request.process_id, line)
    return read_process(paths, request.process_id).requests[request.request_id]
