"""A curve in a line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Draw a curve with block characters; more values than ``width`` are averaged into buckets.

    >>> sparkline([3.0, 2.0, 1.5, 1.2, 1.0])
    '█▅▃▁▁'
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    points = _averaged(finite, width)
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int((value - low) / span * len(_BARS)))] for value in points)


def _averaged(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    edges = [round(index * len(values) / width) for index in range(width + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
