"""Pick up the progress of the user's own tqdm bars, without a change to their code and without importing tqdm."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..journal.writer import JournalWriter
from .on_import import when_imported
from .progress import Progress

log = logging.getLogger("tablevault_ext")


class TqdmBars:
    """Journals what the outermost bar says whenever it is drawn or closed.

    tqdm draws at most ten times a second, so this costs the loop nothing. A tqdm that is imported later is met at
    its import.

    Args:
        journal: asked for each time: a forked child has a journal of its own.
    """

    def __init__(self, journal: Callable[[], JournalWriter]) -> None:
        self._journal = journal
        self._drawn: tuple[int, Progress] | None = None

    def attach(self) -> None:
        when_imported("tqdm.std", self._patch)

    def _patch(self, module: ModuleType) -> None:
        bar_class = getattr(module, "tqdm", None)
        if bar_class is None or getattr(bar_class.refresh, "of_tablevault", False):
            return

        def watched(original: Callable[..., Any], *, closing: bool) -> Callable[..., Any]:
            @functools.wraps(original)
            def method(bar: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(bar, *args, **kwargs)
                try:
                    # A disabled bar has no position; only the outermost one tells how far the work is.
                    if not bar.disable or closing:
                        self._note(bar, closing)
                except Exception:
                    log.debug("a progress bar could not be read", exc_info=True)
                return result

            method.of_tablevault = True  # type: ignore[attr-defined]
            return method

        bar_class.refresh = watched(bar_class.refresh, closing=False)
        bar_class.close = watched(bar_class.close, closing=True)

    def _note(self, bar: Any, closing: bool) -> None:
        if abs(getattr(bar, "pos", 0)) != 0:
            return
        if self._drawn is None or self._drawn[0] != id(bar):
            if closing:
                return  # closed twice
            self._drawn = (id(bar), Progress(self._journal))
        self._drawn[1].update(bar.n, bar.total, desc=(bar.desc or "").removesuffix(": "), force=closing)
        if closing:
            self._drawn = None
