"""Everything that can go wrong, in one hierarchy: each message says what happened, what state remains, what to do."""

from __future__ import annotations

from collections.abc import Sequence


class VaultError(Exception):
    """The root of every error this package raises on purpose."""


class BadArgument(VaultError, ValueError):
    """An argument was refused at the door; nothing was changed."""


class BadRecord(VaultError, TypeError):
    """A record that no rule can turn into JSON; nothing was appended."""


class UnknownProcess(VaultError, LookupError):
    """No process of this vault has that name, NAME#RUN or process_id."""

    def __init__(self, address: str, near: Sequence[str] = ()) -> None:
        self.address = address
        self.near = tuple(near)
        message = f"no process {shorten(address)!r} in this vault"
        if self.near:
            message += "; did you mean " + " or ".join(repr(name) for name in self.near) + "?"
        else:
            message += "; `tablevault ps --all` lists them"
        super().__init__(message)


class WrongState(VaultError):
    """The process is in a state in which the request makes no sense; nothing was requested."""


class ProcessEnded(WrongState):
    """The process is over; the message says how it ended."""


class NameTaken(VaultError):
    """A living process already holds this name."""


class RequestPending(VaultError, TimeoutError):
    """The request has not taken effect yet."""


class VaultUnusable(VaultError, OSError):
    """The vault directory cannot be used: a file in its place, another owner, no permission, a newer version."""


class DatabaseHeld(VaultError):
    """Another program holds vault.duckdb; the journals still grow and nothing is lost."""

    def __init__(self, message: str, holder: str = "") -> None:
        self.holder = holder
        super().__init__(message)


class DatabaseDamaged(VaultError):
    """vault.duckdb cannot be read; `tablevault rebuild` makes it again from the journals."""


class NoControl(VaultError):
    """The process runs without a control block, so it cannot be asked anything at a checkpoint."""


class UnsupportedPlatform(VaultError, NotImplementedError):
    """This operating system cannot do what was asked; nothing was signalled."""


class ExecutionStopped(BaseException):
    """Raised at a checkpoint when a stop was requested, so that ``finally`` blocks and ``atexit`` run.

    It derives from ``BaseException`` directly: ``except Exception`` does not swallow it, and neither asyncio
    nor IPython mistakes it for an interrupt. In a notebook it shows as one line.

    >>> raise ExecutionStopped("train", requested_by="ana", reason="disk full")
    Traceback (most recent call last):
    ...
    tablevault_ext.errors.ExecutionStopped: train was stopped by ana: disk full
    """

    def __init__(self, name: str = "", *, requested_by: str = "", reason: str = "", request_id: str = "") -> None:
        self.name = name
        self.requested_by = requested_by
        self.reason = reason
        self.request_id = request_id
        super().__init__(name, requested_by, reason, request_id)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_stop, (type(self), self.name, self.requested_by, self.reason, self.request_id)

    def __str__(self) -> str:
        text = f"{self.name or 'this process'} was stopped"
        if self.requested_by:
            text += f" by {self.requested_by}"
        return f"{text}: {self.reason}" if self.reason else text

    def _render_traceback_(self) -> list[str]:
        """IPython asks for this: one line instead of a traceback."""
        return [f"⏹ {self}"]


def _rebuild_stop(
    cls: type[ExecutionStopped], name: str, requested_by: str, reason: str, request_id: str
) -> ExecutionStopped:
    return cls(name, requested_by=requested_by, reason=reason, request_id=request_id)


class WorkerStopped(Exception):
    """The stop of a pool worker.

    An ordinary ``Exception``: a ``BaseException`` inside a ``multiprocessing.Pool`` worker kills the worker
    silently and ``Pool.map`` in the parent would wait for ever.
    """


def shorten(text: str, width: int = 80) -> str:
    """Cut a text that users gave us to a length that an error message can carry."""
    return text if len(text) <= width else text[: width - 1] + "…"
