"""What living processes use and how far they have come, as it was seen last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..model import Process
from ..paths import VaultPaths
from .sampling import read_history


@dataclass(frozen=True, slots=True)
class Vitals:
    """CPU (% of one core) and memory (RSS, bytes) of a process with its descendants, and its outermost progress bar.

    ``rate`` is steps a second, paused time not counted; while it is paused there is none. None is what nobody has seen.

    >>> Vitals(done=25, total=100, rate=5.0).eta
    15.0
    """

    cpu: float | None = None
    rss: int | None = None
    desc: str | None = None
    done: float | None = None
    total: float | None = None
    rate: float | None = None

    @property
    def eta(self) -> float | None:
        """Seconds that are left at this rate."""
        if self.done is None or self.total is None or not self.rate:
            return None
        return max(self.total - self.done, 0.0) / self.rate

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"eta": self.eta}


def read_vitals(paths: VaultPaths, processes: Iterable[Process]) -> dict[str, Vitals]:
    """The vitals of those that live, by process id."""
    from ..store import listings

    living = [process for process in processes if not process.status.ended]
    bars: dict[str, dict[str, Any]] = {}
    for bar in listings.progress(paths, [process.process_id for process in living]) if living else ():
        bars.setdefault(bar.pop("process_id"), bar)
    return {process.process_id: _vitals(paths, process, bars.get(process.process_id, {})) for process in living}


def _vitals(paths: VaultPaths, process: Process, bar: dict[str, Any]) -> Vitals:
    last: dict[str, Any] = next(reversed(read_history(paths, process.process_id)), {})
    if bar and process.status.at_rest:
        bar = bar | {"rate": None}
    return Vitals(cpu=last.get("cpu"), rss=last.get("rss"), **bar)
