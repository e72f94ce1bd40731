"""Signals that reach the process that was meant, or nobody.

A pid may be reused between looking and signalling. A pidfd cannot: it is opened first, the start time is compared
then, and the signal goes through it. Where there are no pidfds the start time is compared just before ``kill``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from enum import StrEnum

from ..errors import UnsupportedPlatform
from ..identity import Identity, Presence
from .process_table import Row, is_from_here, read_row

_PIDFDS = hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal")


class Delivery(StrEnum):
    """What became of one signal."""

    SENT = "sent"
    GONE = "gone"  # it had ended (a zombie counts as ended)
    REUSED = "reused"  # its pid belongs to another process now, which was left alone
    DENIED = "denied"  # it belongs to another user
    ELSEWHERE = "elsewhere"  # another host or PID namespace
    REFUSED = "refused"  # pid 1 and below are never signalled


def require_signals() -> None:
    """Refuse where processes cannot be suspended and continued by signals.

    Raises:
        UnsupportedPlatform: on Windows.
    """
    if sys.platform == "win32":
        raise UnsupportedPlatform(
            "Windows has no signals that suspend or end a process tree: "
            "pause and stop at a checkpoint instead (without now=True)"
        )


def send(identity: Identity, signum: int) -> Delivery:
    """Send a signal to this very process.

    Args:
        identity: who is meant; a later process with the same pid is never signalled.
        signum: as in the signal module.
    """
    if identity.pid <= 1:
        return Delivery.REFUSED
    if not is_from_here(identity):
        return Delivery.ELSEWHERE if identity.presence() is Presence.UNKNOWN else Delivery.GONE
    handle = open_handle(identity)
    try:
        if look(identity) is None:  # compared after the handle was opened, so the handle is of this process
            return Delivery.REUSED if _pid_taken(identity) else Delivery.GONE
        if handle is None:
            os.kill(identity.pid, signum)
        else:
            signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        return Delivery.GONE
    except PermissionError:
        return Delivery.DENIED
    finally:
        if handle is not None:
            os.close(handle)
    return Delivery.SENT


def open_handle(identity: Identity) -> int | None:
    """A pidfd of whoever has this pid now, or None where there is none to be had. Compare the identity after."""
    if not _PIDFDS:
        return None
    try:
        return os.pidfd_open(identity.pid)
    except OSError:  # an old kernel, a sandbox, no free descriptors, or gone: the comparison decides
        return None


def look(identity: Identity) -> Row | None:
    """The line of this very process in the process table, or None if it ended (a zombie has) or is not from here."""
    if not is_from_here(identity):
        return None
    row = read_row(identity.pid)
    return row if row is not None and row.start == identity.start and not row.zombie else None


def wait_for_end(identities: Iterable[Identity], timeout: float) -> set[Identity]:
    """Wait until all of these have ended or ``timeout`` seconds are over; return those that have ended by then.

    Needs no polling where there are pidfds. A zombie has ended.
    """
    wanted = set(identities)
    waiting = {identity for identity in wanted if look(identity) is not None}
    handles: dict[int, Identity] = {}
    try:
        for identity in waiting:
            handle = open_handle(identity)
            if handle is None:
                break
            handles[handle] = identity
        everybody = len(handles) == len(waiting)
        if everybody:
            _wait_on_handles({handle for handle, identity in handles.items() if look(identity)}, timeout)
    finally:
        for handle in handles:
            os.close(handle)
    if not everybody:  # no pidfds here, or not enough descriptors for so many
        _poll_for_end(waiting, timeout)
    return {identity for identity in wanted if look(identity) is None}


def exit_status(identity: Identity, *, reap: bool = False) -> int | None:
    """How a child of the calling process ended: its code, or minus the signal; None if it is not known.

    Unless ``reap`` is true the child stays to be collected by its owner (``Popen.wait``); a status taken away
    from there would make ``Popen`` report 0.
    """
    if not hasattr(os, "waitid"):
        return None
    row = read_row(identity.pid)
    if row is None or row.start != identity.start or row.ppid != os.getpid():
        return None  # not a child of ours: waitid would not know it, or mean another process
    flags = os.WEXITED | os.WNOHANG | (0 if reap else os.WNOWAIT)
    with contextlib.suppress(ChildProcessError):
        result = os.waitid(os.P_PID, identity.pid, flags)
        if result is not None and result.si_pid == identity.pid:
            return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
    return None


def reap(identities: Iterable[Identity]) -> dict[Identity, int]:
    """Collect those children of the calling process that have ended, so that no zombie of ours stays.

    For children that nobody else waits for: orphans that came to a subreaper, or processes started by hand.
    """
    statuses = ((identity, exit_status(identity, reap=True)) for identity in identities)
    return {identity: status for identity, status in statuses if status is not None}


def _pid_taken(identity: Identity) -> bool:
    row = read_row(identity.pid)
    return row is not None and row.start != identity.start


def _wait_on_handles(handles: set[int], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    while handles and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            handles.discard(handle)


def _poll_for_end(identities: set[Identity], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while any(look(identity) for identity in identities):
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(0.02, left))
