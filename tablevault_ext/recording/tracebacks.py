"""Turn an exception into type, message and traceback text, whatever its author did to its methods."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

_MAX_TRACEBACK = 200_000  # characters; a recursion error of a deep stack stays readable at both ends
_PACKAGE = str(Path(__file__).resolve().parent.parent)


def describe_error(error: BaseException, tb: TracebackType | None = None, *, private: bool = False) -> dict[str, str]:
    """The fields ``error_type``, ``error_message`` and ``traceback`` of an event.

    The traceback starts at the user's own first frame; the frames of IPython, runpy and this package above it
    are left out. ``private`` keeps the type only. Never raises, and never calls ``repr``.
    """
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    if private:
        return {"error_type": name, "error_message": "", "traceback": ""}
    return {"error_type": name, "error_message": _message(error), "traceback": _format(error, tb)}


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "<the message of this exception cannot be shown: its __str__ failed>"


def _format(error: BaseException, tb: TracebackType | None) -> str:
    try:
        first = _users_frames(tb if tb is not None else error.__traceback__)
        if isinstance(error, SyntaxError) and first is not None and _is_machinery(first.tb_frame):
            first = None  # the place is in the error itself; the frames are the compiler's
        summary = traceback.TracebackException(type(error), error, first, compact=True)
        text = "".join(summary.format())
    except BaseException as failure:
        frames = traceback.format_tb(tb or error.__traceback__)
        text = "".join(frames) + f"{type(error).__name__} (formatting it failed: {type(failure).__name__})\n"
    if len(text) > _MAX_TRACEBACK:
        half = _MAX_TRACEBACK // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return text


def _users_frames(tb: TracebackType | None) -> TracebackType | None:
    """Skip what stands above the user's code; keep everything if there is nothing of the user's."""
    walk = tb
    while walk is not None and _is_machinery(walk.tb_frame):
        walk = walk.tb_next
    return walk if walk is not None else tb


def _is_machinery(frame: Any) -> bool:
    module = frame.f_globals.get("__name__", "")
    if module in ("runpy", "threading") or module.startswith(("IPython.", "ipykernel.", "importlib._bootstrap")):
        return True
    return bool(frame.f_code.co_filename.startswith(_PACKAGE))
