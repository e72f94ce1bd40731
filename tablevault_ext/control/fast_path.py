"""The ordinary path of a checkpoint: look at one byte, count, leave a time now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from ..journal.control_block import BELL, COUNT_WORD, GAP_WORD, STAMP_WORD

_LOOK_EVERY_NS = 1_000_000_000  # how long a request may lie whose bell was lost
_STAMP_EVERY_NS = 20_000  # checkpoints closer together than this share one look at the clock


def make_checkpoint() -> tuple[Callable[[], None], Callable[..., None]]:
    """Build the function behind `checkpoint_execution`: a closure, because it runs in inner loops.

    It comes with the function that binds it to a control block: a forked child binds the very same closure, of
    which user code may have kept a reference, to its own.
    """
    memory: Any = b"\0"
    words: Any = [0] * 16
    clock = time.monotonic_ns
    count = due = last_count = last_stamp = last_look = 0
    place: tuple[Any, int] = (None, 0)

    def not_bound() -> None:
        raise NotImplementedError("not bound yet")

    obey: Callable[[], None] = not_bound
    look: Callable[[], None] = not_bound

    def leave_no_place(line: int | None, note: str) -> None:
        raise NotImplementedError("not bound yet")

    set_place: Callable[[int | None, str], None] = leave_no_place

    def bind(
        to_memory: Any,
        to_words: Any,
        to_obey: Callable[[], None],
        to_set_place: Callable[[int | None, str], None],
        to_look: Callable[[], None],
    ) -> None:
        nonlocal memory, words, obey, set_place, look, count, due, last_count, last_stamp, last_look
        memory, words, obey, set_place, look = to_memory, to_words, to_obey, to_set_place, to_look
        count = due = last_count = last_stamp = last_look = 0

    def stamp() -> int:
        """Leave the time, the usual gap and the place, where the gap is long enough to be worth it."""
        nonlocal last_count, last_stamp, last_look, place
        now = clock()
        gap = (now - last_stamp) // (count - last_count) if last_stamp else 0
        words[STAMP_WORD] = now
        words[GAP_WORD] = (words[GAP_WORD] * 7 + gap) // 8 if words[GAP_WORD] else gap
        last_count, last_stamp = count, now
        if now - last_look > _LOOK_EVERY_NS:
            last_look = now
            look()
        if 0 < gap < _STAMP_EVERY_NS:
            return count + min(64, _STAMP_EVERY_NS // gap)
        frame = sys._getframe(2)
        here = (frame.f_code, frame.f_lineno)
        if here != place:
            place = here
            set_place(frame.f_lineno, frame.f_code.co_filename)
        return count + 1

    def checkpoint_execution() -> None:
        nonlocal count, due
        if memory[BELL]:
            obey()
        count += 1
        words[COUNT_WORD] = count
        if count >= due:
            due = stamp()

    return checkpoint_execution, bind
