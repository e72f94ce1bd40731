"""What travels between a process and its workers: calls, results, errors; all by cloudpickle, as bytes.

Bytes, because what is packed and unpacked by the engine's own threads breaks the engine when it cannot be
unpickled; here it becomes the task's error.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from .errors import NotPicklable, TaskFailed

Reply = tuple[str, Any, int, int, int | None]
"""kind (value, packed, error or unpicklable), content, when the call began and ended (µs since the epoch), and how
many items of a chunk are done."""


def pack_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Pickle a call; what ``__main__`` or a notebook cell defines travels by value, as it is now.

    Raises:
        NotPicklable: names the function; nothing was submitted.
    """
    return _pack((function, args, kwargs), lambda: f"the call of {name_of(function)}")


def pack_function(function: Callable[..., Any]) -> bytes:
    """Pickle a function alone, to be called with many arguments."""
    return _pack(function, lambda: f"the function {name_of(function)}")


def pack_data(data: Any, what: str) -> bytes:
    """Pickle plain data; plain pickle first, which is many times faster."""
    try:
        return pickle.dumps(data, pickle.HIGHEST_PROTOCOL)
    except Exception:  # whatever it was, cloudpickle may know how, or says why not
        return _pack(data, lambda: what)


def pack_any(value: Any, what: str) -> bytes:
    """Pickle anything; what ``__main__`` or a notebook cell defines travels by value."""
    return _pack(value, lambda: what)


def unpack(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - our own worker or our own parent wrote it


def name_of(function: Callable[..., Any]) -> str:
    """A name to show for a callable."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    return str(name) if name else type(function).__name__


def pack_value(value: Any) -> tuple[str, Any]:
    """A result for the journey home; what cannot travel becomes an error that says so."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return "value", value
    try:
        return "packed", cloudpickle.dumps(value)
    except Exception as error:
        return "unpicklable", f"{type(value).__name__}: {_short(error)}"


def pack_error(error: BaseException) -> tuple[str, Any]:
    """An error for the journey home: itself if it can travel, and its text and traceback in any case."""
    frames = error.__traceback__.tb_next if error.__traceback__ is not None else None  # the first frame is ours
    text = "".join(traceback.format_exception(type(error), error, frames))
    try:
        packed: bytes | None = cloudpickle.dumps(error.with_traceback(None))
        pickle.loads(packed)  # type: ignore[arg-type]  # noqa: S301 - many exceptions can be packed but not unpacked
    except Exception:
        packed = None
    return "error", (packed, type(error).__name__, words_of(error), text)


class WorkerTraceback(Exception):
    """Shown as the cause of a task's error: where in the worker it was raised."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


def open_reply(kind: str, content: Any, what: str) -> Any:
    """Return the value of a reply, or raise its error."""
    if kind == "value":
        return content
    if kind == "packed":
        try:
            return unpack(content)
        except Exception as error:
            raise NotPicklable(f"{what} finished, but its result cannot be unpickled here: {_short(error)}") from error
    if kind == "unpicklable":
        raise NotPicklable(
            f"{what} finished, but its result cannot be sent back ({content}); return something that can be pickled"
        )
    raise open_error(content, what)


def open_error(content: tuple[bytes | None, str, str, str], what: str) -> BaseException:
    """The exception that a worker sent, with the worker's traceback as its cause."""
    packed, name, words, text = content
    error: BaseException | None = None
    if packed is not None:
        try:
            error = unpack(packed)
        except Exception:
            error = None
    if not isinstance(error, BaseException):
        error = TaskFailed(f"{what} failed with {name}: {words}")
    if error.__cause__ is None:
        error.__cause__ = WorkerTraceback(text)
    else:
        error.add_note(text)
    return error


def _pack(value: Any, what: Callable[[], str]) -> bytes:
    _send_main_by_value()
    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        raise NotPicklable(
            f"{what()} cannot be sent to another process: {_short(error)}; open files, locks, connections and "
            "the like have to be made inside the task"
        ) from error


def _send_main_by_value() -> None:
    # In a process that multiprocessing spawned, the user's main module goes by this name, which no worker knows.
    module = sys.modules.get("__mp_main__")
    if module is not None and module.__name__ not in cloudpickle.list_registry_pickle_by_value():
        cloudpickle.register_pickle_by_value(module)


def words_of(error: BaseException) -> str:
    """Its message, even if its ``__str__`` fails."""
    try:
        return str(error)
    except Exception:
        return f"<its message cannot be shown: {type(error).__name__}>"


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {words_of(error)}"[:300]
