"""The tabs of the chosen process, each as HTML. What users wrote is escaped by `display` or here."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from ..client import VaultClient
from ..display.cells import cell_table
from ..display.errors import ErrorList
from ..display.processes import request_table
from ..display.words import duration, printable, size
from ..journal.log_lines import SYSTEM
from ..model import Status
from ..panel.wire import Json
from ..store.series import metric_series
from .plots import plot
from .words import escaped

_CELLS, _ERRORS, _LINES, _PLOTS, _POINTS = 50, 20, 200, 12, 120
_COLOURS = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")
Page = Callable[[VaultClient, Json], str]


def _cells(client: VaultClient, process: Json) -> str:
    return cell_table(client.list_cells(process["process_id"], limit=_CELLS), title="").to_html()


def _errors(client: VaultClient, process: Json) -> str:
    return ErrorList(client.list_errors(process["process_id"], limit=_ERRORS))._repr_html_()


def _logs(client: VaultClient, process: Json) -> str:
    lines = []
    for line in client.read_log(process["process_id"], lines=_LINES):
        text = html.escape(printable(_COLOURS.sub("", line.text), keep_lines=True))
        mark = {"stderr": ("tv-stderr", "err "), SYSTEM: ("tv-system", "⚙ ")}.get(line.stream, ("", ""))
        lines.append(f'<span class="{mark[0]}">{mark[1]}{text}</span>' if mark[0] else text)
    if not lines:
        return "It has printed nothing that is kept."
    return f'<div class="tv-tail"><pre class="tv-log">{chr(10).join(lines)}</pre></div>'


def _progress(client: VaultClient, process: Json) -> str:
    parts = []
    bar, used = process["progress"], (process["resources"] or {}).get("history") or {}
    if bar is not None:
        rate = f", {bar['rate']:.3g} a second" if bar["rate"] else ""
        eta = f", ETA {duration(bar['eta'])}" if bar["eta"] else ""
        total = f" of {bar['total']:g}" if bar["total"] else ""
        parts.append(f"<div>{escaped(bar['desc'] or 'progress')}: {bar['done']:g}{total}{rate}{eta}</div>")
    for series in metric_series(client._paths, process["process_id"], points=_POINTS)[:_PLOTS]:
        title = ".".join(part for part in (series.record_list, series.key) if part)
        parts.append(plot(title, series.value))
    for key, title in (("cpu", "CPU %"), ("rss", "memory")):
        values = [value for value in used.get(key, ()) if value is not None]
        told = (size(values[-1]), size(min(values)), size(max(values))) if values and key == "rss" else None
        parts.append(plot(title, values, told))
    return "".join(parts) or "It has recorded no numbers and no progress."


def _requests(client: VaultClient, process: Json) -> str:
    requests = client.get_process(process["process_id"]).requests.values()
    newest = sorted(requests, key=lambda request: request.requested_at, reverse=True)
    return request_table(newest, title="").to_html() if newest else "Nothing has been asked of it."


def _post_mortem(client: VaultClient, process: Json) -> str:
    if process["status"] not in (Status.LOST.value, Status.FAILED.value):
        return "There is one when a process fails or is lost."
    found = client.post_mortem(process["process_id"])
    return f"<pre>{html.escape(printable(found.render(), keep_lines=True))}</pre>" if found else ""


PAGES: dict[str, Page] = {
    "Cells": _cells,
    "Errors": _errors,
    "Logs": _logs,
    "Progress": _progress,
    "Requests": _requests,
    "Post-mortem": _post_mortem,
}
