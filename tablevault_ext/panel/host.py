"""CPU and memory of the machine."""

from __future__ import annotations

import os
import threading
import time

import psutil

from ..control.host import host_figures
from ..identity import host
from ..model import iso, now_us
from ..panel.wire import Json

_FRESH = 2.0


class HostReader:
    """Reads the machine at most every two seconds, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before = _busy_and_all()
        self._read_at = 0.0
        self._figures: Json = {}

    def read(self) -> Json:
        """The contract's `Host`."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH:
                self._figures = self._read()
                self._read_at = time.monotonic()
            return self._figures

    def _read(self) -> Json:
        figures = host_figures()
        swap = psutil.swap_memory()
        return {
            "host": host(),
            "at": iso(now_us()),
            "cpu": self._cpu(),
            "cores": max(1, round(figures.cores)),
            "memory_total": figures.memory_total,
            "memory_available": figures.memory_available,
            "swap_total": swap.total,
            "swap_used": swap.used,
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        }

    def _cpu(self) -> float | None:
        # psutil.cpu_percent remembers per thread; here any thread of the pool may ask.
        busy, every = _busy_and_all()
        before_busy, before_every = self._before
        if every - before_every < 0.1:
            return self._figures.get("cpu")
        self._before = (busy, every)
        return round(min(max(100 * (busy - before_busy) / (every - before_every), 0.0), 100.0), 1)


def _busy_and_all() -> tuple[float, float]:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    every = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return every - idle, every
