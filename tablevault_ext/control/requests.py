"""The requester's side of a checkpoint request: check, write one line into the target's inbox, ring, wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import BadArgument, NoControl, ProcessEnded, WrongState
from ..identity import boot_id
from ..journal.control_block import read_control, ring
from ..journal.inbox import append_to_inbox, locked_inbox
from ..journal.process_state import ProcessReader, read_process
from ..model import Action, Outcome, Process, Request, Status, mono_us, new_request_id, now_us
from ..paths import VaultPaths


def make_request(
    paths: VaultPaths,
    process_id: str,
    action: Action,
    *,
    by: str = "",
    reason: str = "",
    keep_kernel: bool = False,
    grace: float = 30.0,
    escalate: bool = False,
) -> Request:
    """Ask a process to stop, pause or go on at its next checkpoint.

    The state is checked and the line written under one lock; only then is the doorbell set. An identical
    request that waits already is returned instead of a second one; a stop with another grace, or one that escalates
    where the first did not, is another stop.

    Raises:
        ProcessEnded: it is over; the message says how it ended.
        WrongState: resuming what is not paused, pausing what is stopping.
        NoControl: it runs without a control block.
    """
    with locked_inbox(paths, process_id):
        process = read_process(paths, process_id)
        joined = _check(process, action, (keep_kernel, grace, escalate))
        if joined is not None:
            ring(paths, process_id)
            return joined
        request = new_request(
            process, action, by=by, reason=reason, keep_kernel=keep_kernel, grace=grace, escalate=escalate
        )
        append_to_inbox(paths, process_id, request.line())
    ring(paths, process_id)
    return request


def new_request(process: Process, action: Action, *, by: str, reason: str, **how: Any) -> Request:
    """A request of this moment; not written anywhere yet."""
    return Request(
        request_id=new_request_id(),
        process_id=process.process_id,
        action=action,
        requested_by=by,
        reason=reason,
        requested_at=now_us(),
        mono=mono_us(),
        boot_id=boot_id(),
        target=process.address,
        **how,
    )


def stop_actor(paths: VaultPaths, process_id: str, actor: str, *, by: str = "", reason: str = "") -> Request:
    """Ask a process to end one of its actors, by pid or registered name.

    Raises:
        ProcessEnded, WrongState, NoControl: nothing was requested.
    """
    with locked_inbox(paths, process_id):
        process = read_process(paths, process_id)
        refuse_unreachable(process, Action.STOP)
        if not process.controllable:
            raise NoControl(f"{process.address} runs without a control block; its actors cannot be reached")
        request = new_request(process, Action.STOP, by=by, reason=reason, actor=actor)
        append_to_inbox(paths, process_id, request.line())
    ring(paths, process_id)
    return request


def withdraw(paths: VaultPaths, request: Request, *, by: str = "") -> Request:
    """Take a request back before it takes effect; the target decides which came first.

    Returns:
        The request as it then stands: ``foreseen`` to be withdrawn, if the target has not read that yet.

    Raises:
        WrongState: it has been decided already.
    """
    with locked_inbox(paths, request.process_id):
        present = read_process(paths, request.process_id).requests.get(request.request_id)
        if present is None:
            raise BadArgument(f"{request.request_id} is no request of this vault")
        if not present.pending:
            raise WrongState(f"it is too late to withdraw: {present}")
        if present.now:
            raise WrongState(f"it is too late to withdraw: {present.target} gets its signals already")
        if present.action is Action.STOP and present.seen_at:
            raise WrongState(f"it is too late to withdraw: {present.target} is stopping already")
        if present.foreseen is Outcome.WITHDRAWN:
            return present
        if not present.wanted:
            raise WrongState(f"it is too late to withdraw: {present}")
        line = {"e": "withdraw", "id": request.request_id, "by": by, "at": now_us()}
        append_to_inbox(paths, request.process_id, line)
    ring(paths, request.process_id)
    return read_process(paths, request.process_id).requests[request.request_id]


def wait_for(
    paths: VaultPaths, request: Request, seconds: float, *, pause_between: Callable[[float], None] = time.sleep
) -> Request:
    """Wait until a request has an outcome, at most ``seconds``; return it as it then stands."""
    deadline = time.monotonic() + seconds
    reader = ProcessReader(paths, request.process_id)
    interval = 0.001
    while True:
        process = reader.read()
        present = process.requests.get(request.request_id, request)
        if not present.pending:
            return present
        left = deadline - time.monotonic()
        if left <= 0:
            return present
        pause_between(min(interval, left))
        interval = min(interval * 1.3, 0.05)
        ring_again(paths, process, reader.inbox_size)


def ring_again(paths: VaultPaths, process: Process, inbox_size: int) -> None:
    """Ring for a requester that died between its line and the doorbell."""
    reading = read_control(paths.control_block(process.process_id))
    if reading is not None and not reading.rung and reading.acknowledged < inbox_size:
        ring(paths, process.process_id)


def _check(process: Process, action: Action, how: tuple[bool, float, bool]) -> Request | None:
    """Refuse what makes no sense; return the waiting request that an identical one joins."""
    status = process.status
    refuse_unreachable(process, action)
    if not process.controllable:
        raise NoControl(f"{process.address} runs without a control block and has no checkpoints; use now=True")
    waiting = [r for r in process.requests.values() if r.wanted and not r.now and not r.actor]
    if action is Action.STOP:
        stops = (r for r in waiting if r.action is action)
        return next((r for r in stops if (r.keep_kernel, r.grace, r.escalate) == how), None)
    if status is Status.STOPPING:
        raise WrongState(f"{process.address} is stopping and can no longer {_verb(action)}")
    if action is Action.PAUSE:
        if status is Status.PAUSING or status is Status.PAUSED:
            held = [r for r in process.requests.values() if r.action is Action.PAUSE]
            resuming = any(r.action is Action.RESUME for r in waiting)
            return None if resuming or not held else held[-1]
        return None
    if status not in (Status.PAUSING, Status.PAUSED):
        raise WrongState(f"{process.address} is not paused (it is {status}); there is nothing to resume")
    return next((r for r in waiting if r.action is action), None)


def refuse_unreachable(process: Process, action: Action) -> None:
    """Raise if a process is over, or cannot be seen from here."""
    if process.status.ended:
        raise ProcessEnded(f"{process.address} cannot {_verb(action)}: {how_it_ended(process)}")
    if process.identity is None:
        raise WrongState(f"{process.process_id} has written nothing yet: it is just starting; try again")
    if process.status is Status.UNKNOWN:
        raise WrongState(
            f"{process.address} runs on another host or in another PID namespace, where it cannot be seen from here"
        )


def _verb(action: Action) -> str:
    return {Action.STOP: "be stopped", Action.PAUSE: "be paused", Action.RESUME: "be resumed"}[action]


def how_it_ended(process: Process) -> str:
    """One clause: in which way a process is over."""
    if process.status is Status.LOST:
        return "it is lost: its OS process is gone and wrote no ending"
    text = f"it {'was ' if process.status is Status.STOPPED else ''}{process.status}"
    if process.exit_signal:
        text += f" by signal {process.exit_signal}"
    elif process.exit_code:
        text += f" with exit code {process.exit_code}"
    if process.error:
        text += f" ({process.error})"
    if process.ended_at:
        age = max(0.0, (now_us() - process.ended_at) / 1e6)
        text += f", {age:.0f} s ago"
    return text
