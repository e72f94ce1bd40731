"""What happened when it died: the facts, and apart from them what they suggest. Pure: no I/O."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from ..errors import shorten
from .host import OomCounters, in_words

_CRASHES = frozenset(
    getattr(signal, name) for name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT") if hasattr(signal, name)
)
_KILL = 9  # named nowhere on Windows, where a process from Linux may still be looked at
_ASKED = frozenset({signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGTERM)})
_OUTPUT_LINES = 10


@dataclass(frozen=True, slots=True)
class Death:
    """What is known of a process that was lost or failed. None and empty: not known.

    ``memory`` is its curve, (seconds since the epoch, RSS in bytes), oldest first; ``memory_limit`` bytes;
    ``survivors`` are descriptions of descendants that still run; ``requested`` describes a stop that had been asked
    for; ``restarted``: the machine has been started anew since.
    """

    name: str
    status: str
    exit_code: int | None = None
    exit_signal: int | None = None
    ended_at: float | None = None
    last_seen_at: float | None = None
    cell: int | None = None
    line: int | None = None
    code: str = ""
    error_type: str = ""
    error_message: str = ""
    last_output: str = ""
    memory: Sequence[tuple[float, int]] = ()
    memory_limit: int | None = None
    oom_before: OomCounters | None = None
    oom_after: OomCounters | None = None
    survivors: Sequence[str] = ()
    requested: str = ""
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class PostMortem:
    """``facts`` were observed; ``inferences`` are what they suggest, each with its reason."""

    name: str
    facts: tuple[str, ...]
    inferences: tuple[str, ...]
    last_output: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def render(self) -> str:
        """Plain text for a terminal."""
        lines = [f"What happened to {self.name}", "", "Observed:"]
        lines += [f"  - {fact}" for fact in self.facts]
        if self.last_output:
            lines += ["", "Last output:", *(f"  | {line}" for line in self.last_output.splitlines())]
        lines += ["", "Inferred (not observed):"]
        lines += [f"  - {inference}" for inference in self.inferences] or ["  - nothing"]
        return "\n".join(lines)


def assemble(death: Death) -> PostMortem:
    """Put the facts in order and say what they suggest.

    >>> print(assemble(Death("train", "failed", exit_code=1)).render())
    What happened to train
    <BLANKLINE>
    Observed:
      - it is failed, with exit code 1
    <BLANKLINE>
    Inferred (not observed):
      - nothing
    """
    output = "\n".join(death.last_output.splitlines()[-_OUTPUT_LINES:])
    return PostMortem(death.name, tuple(_facts(death)), tuple(_inferences(death)), output)


def _facts(death: Death) -> Iterator[str]:
    ending = _ending(death)
    yield f"it is {death.status}{', ' + ending if ending else ''}"
    if death.ended_at is not None:
        yield f"it ended at {_when(death.ended_at)}"
    elif death.last_seen_at is not None:
        yield f"it was last seen at {_when(death.last_seen_at)}"
    if death.cell is not None or death.line is not None or death.code:
        place = [
            text
            for text, known in (
                (f"cell {death.cell}", death.cell is not None),
                (f"line {death.line}", death.line is not None),
            )
            if known
        ]
        code = shorten(" ".join(death.code.split()), 70)
        yield "the last thing it ran was " + (", ".join(place) or "its code") + (f": `{code}`" if code else "")
    if death.error_type:
        yield f"its last error was {death.error_type}: {shorten(death.error_message, 200)}".rstrip(": ")
    if death.requested:
        yield f"a stop had been requested: {death.requested}"
    yield from _memory_facts(death)
    group, machine = _killed_for_memory(death)
    if group is not None:
        yield f"processes of its memory group that the kernel killed for memory meanwhile: {group}"
    elif machine is not None:
        yield f"processes of this machine that the kernel killed for memory meanwhile: {machine}"
    if death.restarted:
        yield "the machine has been restarted since"
    if death.survivors:
        yield f"still running: {', '.join(death.survivors)}"


def _memory_facts(death: Death) -> Iterator[str]:
    if not death.memory:
        return
    peak = max(size for _, size in death.memory)
    text = f"its memory was {in_words(death.memory[-1][1])} at the end of the curve, {in_words(peak)} at most"
    if death.memory_limit:
        text += f", of {in_words(death.memory_limit)}"
    yield text


def _inferences(death: Death) -> Iterator[str]:
    yield from _cause(death)
    growth = _growth(death.memory)
    if growth:
        yield growth
    if death.survivors:
        yield f"{len(death.survivors)} of its processes outlived it; a stop now ends them"


def _cause(death: Death) -> Iterator[str]:
    killed_by = death.exit_signal
    if killed_by is None and death.exit_code is not None and 128 < death.exit_code < 160:
        killed_by = death.exit_code - 128
        yield f"code {death.exit_code} is how shells report {_signal_name(killed_by)} (128 + {killed_by})"
    unexplained = killed_by is None and death.exit_code is None
    if death.restarted and unexplained:
        yield "it most likely ended with the machine: that was restarted before an ending was written"
    elif killed_by is None:
        if unexplained:
            yield from _silent_death(death, unexplained)
        elif death.error_type == "MemoryError":
            yield "an allocation was refused: it ran out of memory, but was not killed"
    elif killed_by == _KILL:
        yield from _silent_death(death, unexplained)
    elif killed_by in _CRASHES:
        yield (
            f"it crashed in native code ({_signal_name(killed_by)}), such as a compiled extension: "
            "Python could not write a traceback; faulthandler.enable() would"
        )
    elif killed_by in _ASKED:
        asked = "as requested" if death.requested else "by a user, a terminal that closed, or a job scheduler"
        yield f"it was asked to end ({_signal_name(killed_by)}), {asked}"


def _silent_death(death: Death, unexplained: bool) -> Iterator[str]:
    group, machine = _killed_for_memory(death)
    full = _fullness(death)
    if group:
        yield "it was very likely killed for memory: the kernel's counter for its memory group rose meanwhile"
    elif machine:
        sure = "probably" if full is not None and full > 0.8 else "possibly"
        yield f"it was {sure} killed for memory: the kernel killed something on this machine meanwhile"
    elif full is not None and full > 0.9:
        yield f"it may have been killed for memory: it used {full:.0%} of what it was allowed"
    elif death.requested:
        yield "it was most likely killed by the stop that had been requested"
    elif unexplained:
        yield "it ended without a word: kill -9, os._exit, a crash, or the loss of its machine or container"
    else:
        counted = "; not for memory, as far as the counters show" if group == 0 or machine == 0 else ""
        yield f"somebody or something sent SIGKILL (kill -9, a job scheduler, a container that ended){counted}"


def _killed_for_memory(death: Death) -> tuple[int | None, int | None]:
    before, after = death.oom_before, death.oom_after
    if before is None or after is None:
        return None, None

    def rise(first: int | None, second: int | None) -> int | None:
        return None if first is None or second is None else max(second - first, 0)

    group = rise(before.group, after.group) if before.file == after.file else None
    return group, rise(before.machine, after.machine)


def _fullness(death: Death) -> float | None:
    if not death.memory or not death.memory_limit:
        return None
    return death.memory[-1][1] / death.memory_limit


def _growth(memory: Sequence[tuple[float, int]]) -> str:
    """A curve that rose to its end, by half or more over its last part."""
    if len(memory) < 3:
        return ""
    recent = memory[-max(len(memory) // 2, 3) :]
    (begin, first), (end, last) = recent[0], recent[-1]
    rising = all(later[1] >= 0.95 * earlier[1] for earlier, later in pairwise(recent))
    if not rising or first <= 0 or last < 1.5 * first or end <= begin:
        return ""
    rate = (last - first) / (end - begin)
    return f"its memory was growing by {in_words(rate)} a second, from {in_words(first)} to {in_words(last)}"


def _ending(death: Death) -> str:
    if death.exit_signal is not None:
        return f"ended by {_signal_name(death.exit_signal)}"
    return "" if death.exit_code is None else f"with exit code {death.exit_code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
