"""What can go wrong between actors; `ProcessExit` is not an error but the end of a process."""

from __future__ import annotations

from asyncio import CancelledError

from tablevault_ext.errors import BadArgument, NameTaken, VaultError


class ActorError(VaultError):
    """The root of the errors that operations on actors raise."""


class NoSuchProcess(ActorError, LookupError):
    """No living process has this pid or name (OTP's ``noproc``); nothing was delivered."""

    def __init__(self, target: object) -> None:
        self.target = target
        if target is None:
            message = (
                "None is no process; self() is None outside processes, until the cell or task acts as one: register()"
            )
        else:
            message = f"no living process {target!r}: it has ended or was never there; processes() lists them"
        super().__init__(message)


class NoMailbox(ActorError):
    """The process was spawned with ``mailbox=False``: it can neither receive nor be sent to."""


class NotInProcess(ActorError, RuntimeError):
    """The operation needs a calling process, and there is no asyncio task that could act as one."""


class ServerDied(ActorError):
    """The gen_server ended before it answered; `reason` is its exit reason."""

    def __init__(self, server: object, reason: object) -> None:
        self.server = server
        self.reason = reason
        super().__init__(f"{server} ended before it answered: {reason!r}")


class ChildError(ActorError):
    """The supervisor refused: an unknown or duplicate id, a child that runs when it should not, or the reverse."""


class ProcessExit(CancelledError):
    """Ends the process it is raised in, with `reason` (Erlang's ``exit/1``).

    Operations raise it in a process that has been told to exit. Being a `CancelledError`, it passes through
    ``except Exception`` and through asyncio as an ordinary cancellation does.

    >>> raise ProcessExit("shutdown")
    Traceback (most recent call last):
    ...
    tablevault_ext.actors.errors.ProcessExit: this process ends: 'shutdown'
    """

    def __init__(self, reason: object, message: str = "") -> None:
        self.reason = reason
        super().__init__(message or f"this process ends: {reason!r}")


__all__ = [
    "ActorError",
    "BadArgument",
    "ChildError",
    "NameTaken",
    "NoMailbox",
    "NoSuchProcess",
    "NotInProcess",
    "ProcessExit",
    "ServerDied",
]
