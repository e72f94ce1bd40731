"""One process in the words and the HTML of a row. Everything that users wrote is escaped here."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Any

from ..display.chart import sparkline
from ..display.words import ago, duration, shown, size
from ..model import Status
from ..panel.wire import Json

GROUPS = ("Running", "Needs attention", "Ended today")
_ATTENTION = frozenset({Status.PAUSING, Status.STOPPING, Status.UNKNOWN, Status.FAILED, Status.LOST})


def escaped(text: Any, width: int = 200) -> str:
    """One line, printable, harmless in HTML also inside an attribute.

    >>> escaped('<b onclick="x">')
    '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return html.escape(shown(str(text), width))


def group_of(process: Json) -> str:
    status = Status(process["status"])
    return GROUPS[1] if status in _ATTENTION else GROUPS[2] if status.ended else GROUPS[0]


def title_of(process: Json, depth: int = 0, *, own: bool = False) -> str:
    """Its name, for a button: text, not HTML."""
    run = f"#{process['run']}" if process["run"] > 1 else ""
    return "  " * depth + ("└ " if depth else "") + shown(process["name"], 40) + run + (" (here)" if own else "")


def state_html(process: Json) -> str:
    """The state as word, colour and shape."""
    status = Status(process["status"])
    text = status.label + (f" · {process['activity']}" if process["activity"] else "")
    return f'<span class="tv-state" style="border-color:{status.color}">{html.escape(text)}</span>'


def row_html(process: Json) -> str:
    """State, CPU, memory, and what is news."""
    used = process["resources"] or {}
    cpu, rss = used.get("cpu"), used.get("rss")
    curve = sparkline([value for value in (used.get("history") or {}).get("cpu", ()) if value is not None], 8)
    news = "".join(f'<div class="tv-news">{line}</div>' for line in news_of(process))
    return (
        f'<div class="tv-row">{state_html(process)}<span class="tv-curve" aria-hidden="true">{curve}</span>'
        f'<span class="tv-number">{"" if cpu is None else f"{cpu:.0f}%"}</span>'
        f'<span class="tv-number">{size(rss)}</span></div>{news}'
    )


def news_of(process: Json) -> list[str]:
    """More lines, as HTML, only when they carry news."""
    status, request = Status(process["status"]), process["request"]
    lines = []
    if request is not None and request["outcome"] is None:
        lines.append(escaped(_asked(request)))
    elif status is Status.PAUSED:
        lines.append(escaped(_paused(request)))
    if status in (Status.FAILED, Status.LOST):
        lines.append(escaped(_ending(process)))
    if not status.ended:
        lines += [line for line in (_progress(process), _cell(process), _children(process)) if line]
    return lines


def since(moment: str | None) -> str:
    """How long ago a time of the contract was."""
    return "" if moment is None else ago(int(datetime.fromisoformat(moment).timestamp() * 1e6))


def _asked(request: Json) -> str:
    text = f"{request['action']}{' now' if request['now'] else ''} asked {since(request['requested_at'])}"
    text += f" by {request['requested_by']}" if request["requested_by"] else ""
    return text + (f": {request['waiting_for']}" if request["waiting_for"] else "")


def _paused(request: Json | None) -> str:
    if request is None:
        return "suspended from outside, not by a request"
    text = f"paused {since(request['effective_at'])}"
    text += f" by {request['requested_by']}" if request["requested_by"] else ""
    return text + (f": {request['reason']}" if request["reason"] else "")


def _ending(process: Json) -> str:
    if process["status"] == Status.LOST.value:
        return "its OS process is gone and wrote no ending"
    code = f"exit code {process['exit_code']}" if process["exit_code"] else ""
    return "; ".join(part for part in (process["exit_signal"] or code, process["error"]) if part)


def _progress(process: Json) -> str:
    bar = process["progress"]
    if bar is None:
        return ""
    total, done = bar["total"], bar["done"]
    text = escaped(bar["desc"], 40) + " " if bar["desc"] else ""
    if not total:
        return f"{text}{done:g}"
    share = min(max(done / total, 0.0), 1.0)
    eta = f" · ETA {duration(bar['eta'])}" if bar["eta"] and share < 1 else ""
    return f'{text}{done:g}/{total:g} <progress max="1" value="{share:.3f}"></progress> {share:.0%}{eta}'


def _cell(process: Json) -> str:
    cell = process["current_cell"]
    if cell is None:
        return ""
    number = cell["seq"] if cell["execution_count"] is None else cell["execution_count"]
    return f"cell {number} · <code>{escaped(cell['code'], 80)}</code>"


def _children(process: Json) -> str:
    below = [f"{number} {kind}" for kind, number in process["children"].items() if number]
    return escaped("└ " + ", ".join(below)) if below else ""
