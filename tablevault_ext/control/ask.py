"""Ask a process to stop, pause or go on: by a checkpoint, or now."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from ..errors import BadArgument, ProcessEnded
from ..journal.process_state import read_process
from ..model import Action, Kind, Process, Request
from ..paths import VaultPaths
from .descendants import find_descendants
from .host import memory_to_resume, would_memory_hold
from .now import ask_now, end_survivors, is_suspended_now, marks_of
from .requests import make_request, wait_for
from .sampling import read_history

log = logging.getLogger("tablevault_ext")

_NAMED_ONLY_PATIENCE = 2.0  # seconds between taking a name and the first line of the journal
_START_PATIENCE = 30.0  # seconds; Python and what a site customises may take long to start on a busy machine


def ask(
    paths: VaultPaths,
    process_id: str,
    action: Action,
    *,
    now: bool = False,
    by: str = "",
    reason: str = "",
    wait: float | None = None,
    keep_kernel: bool = False,
    grace: float = 30.0,
    escalate: bool = False,
) -> Request:
    """Make a request and, with ``wait`` seconds, see what comes of it; says so when the time is over.

    Raises:
        ProcessEnded, WrongState, NoControl: nothing was requested.
        BadArgument: options that exclude each other.
    """
    process = _once_it_has_begun(paths, process_id)
    if now and keep_kernel:
        raise BadArgument("now=True ends the kernel; keep_kernel=True needs a stop at a checkpoint")
    if escalate and keep_kernel:
        raise BadArgument("escalate=True ends the kernel when the grace is over; keep_kernel=True keeps it: choose one")
    if now and action is Action.STOP and process.status.ended:
        ended = end_survivors(paths, process, by=by, reason=reason, grace=grace)
        if ended is not None:
            log.info("%s ended what %s had left behind: %s", by or "somebody", process.address, ended)
            return ended
    if action is Action.RESUME:
        _warn_if_memory_is_short(paths, process)
    if now or _only_now(process, action):
        request = ask_now(paths, process, action, by=by, reason=reason, grace=grace)
        log.info("%s asked, and saw: %s", by or "somebody", request)
        if action is not Action.RESUME or not request.detail.get("also_at_checkpoint"):
            return request
    _wait_until_it_records(paths, process)
    request = make_request(
        paths, process_id, action, by=by, reason=reason, keep_kernel=keep_kernel, grace=grace, escalate=escalate
    )
    log.info("%s asked: %s", by or "somebody", request)
    if wait is None:
        return request
    request = _wait(paths, request, wait, by)
    if request.pending:
        print(f"{request} after {wait:g} s")
    return request


def _once_it_has_begun(paths: VaultPaths, process_id: str) -> Process:
    """The process; where only its name is known yet, a moment later, when its journal says what it is."""
    deadline = time.monotonic() + _NAMED_ONLY_PATIENCE
    while True:
        process = read_process(paths, process_id)
        if process.identity is not None or process.status.ended or time.monotonic() > deadline:
            return process
        time.sleep(0.02)


def _wait_until_it_records(paths: VaultPaths, process: Process) -> None:
    """A script that `tablevault run` has just started has no checkpoints until it records itself, a moment later."""
    if process.kind is not Kind.SCRIPT or process.controllable:
        return
    journal, deadline = paths.journal(process.process_id), time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size):
        if read_process(paths, process.process_id).status.ended:
            return
        time.sleep(0.02)


def _warn_if_memory_is_short(paths: VaultPaths, process: Process) -> None:
    """Say before a resume that the machine may not hold what the process had; the choice is the user's."""
    if process.identity is None or process.status.ended:
        return
    members = find_descendants(process.identity, marks_of(paths, process.process_id)).members
    peak = max((sample["rss"] for sample in read_history(paths, process.process_id)), default=0)
    needed = memory_to_resume([member.identity for member in members], peak)
    check = would_memory_hold(needed, doing=f"resuming {process.address}")
    if not check.holds:
        log.warning("%s", check.message)


def _only_now(process: Process, action: Action) -> bool:
    """Commands have no checkpoints; and what is suspended by a signal is resumed by one."""
    if action is Action.RESUME:
        return is_suspended_now(process)
    return process.kind is Kind.COMMAND and not process.controllable


def _wait(paths: VaultPaths, request: Request, seconds: float, by: str) -> Request:
    """Wait for the effect; a stop that may escalate is escalated here, if its grace is over first."""
    if not (request.escalate and request.grace < seconds):
        return wait_for(paths, request, seconds)
    began = time.monotonic()
    request = wait_for(paths, request, request.grace)
    if not request.pending:
        return request
    if request.wanted:
        with suppress(ProcessEnded):  # just now, or because the keeper was first: how, the outcome says
            escalate_now(paths, request, by)
    return wait_for(paths, request, max(0.0, seconds - (time.monotonic() - began)))


def escalate_now(paths: VaultPaths, request: Request, by: str) -> Request:
    """Turn a stop whose grace is over into a stop now."""
    process = read_process(paths, request.process_id)
    reason = f"it did not stop at a checkpoint within {request.grace:g} s"
    return ask_now(paths, process, Action.STOP, by=by, reason=reason, grace=min(request.grace, 5.0))
