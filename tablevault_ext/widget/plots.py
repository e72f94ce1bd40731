"""Small plots as SVG: a line in the text's colour, its extremes beside it."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from ..display.words import shown

_WIDTH, _HEIGHT = 260, 48


def plot(title: str, values: Sequence[float | None], told: tuple[str, str, str] | None = None) -> str:
    """One curve, with its last, least and greatest value in words.

    >>> "<svg" in plot("loss", [3.0, 2.0, 1.5]), plot("loss", [])
    (True, '')

    Args:
        told: last, least and greatest as text; numbers are shown with four digits when None.
    """
    points = [(at, value) for at, value in enumerate(values) if value is not None and math.isfinite(value)]
    if not points:
        return ""
    numbers = [value for _, value in points]
    low, high, last = min(numbers), max(numbers), numbers[-1]
    span_x, span_y = max(len(values) - 1, 1), (high - low) or 1.0
    line = " ".join(
        f"{at / span_x * (_WIDTH - 4) + 2:.1f},{_HEIGHT - 3 - (value - low) / span_y * (_HEIGHT - 6):.1f}"
        for at, value in points
    )
    words = told or (f"{last:.4g}", f"{low:.4g}", f"{high:.4g}")
    label = f"{shown(title, 40)}: {words[0]} now, {words[1]} to {words[2]}"
    return (
        f'<figure class="tv-plot"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{html.escape(label)}"><polyline points="{line}" fill="none" stroke="currentColor" '
        f'stroke-width="1.5"/></svg><figcaption>{html.escape(label)}</figcaption></figure>'
    )
