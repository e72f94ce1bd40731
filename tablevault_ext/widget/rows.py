"""The list: three groups that fold, a button a process. Widgets are kept and changed only where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]

from ..display.processes import in_tree_order
from ..model import Process
from ..panel.wire import Json
from .words import GROUPS, group_of, row_html, title_of

_STEP = 50  # rows shown at first, and added by each click on *more*: a widget costs the front end much
_SEARCHED = ("name", "path", "notebook", "user_id", "description")


class Row:
    """One process: its name is the button that chooses it."""

    def __init__(self, choose: Callable[[], None], look: dict[str, Any]) -> None:
        self.button = widgets.Button(layout=look["name"], style=look["style"])
        self.button.on_click(lambda _: choose())
        self.html = widgets.HTML(layout=look["text"])
        self.box = widgets.HBox([self.button, self.html], layout=look["row"])

    def show(self, process: Json, title: str, *, chosen: bool) -> None:
        change(self.button, description=title, button_style="info" if chosen else "", tooltip=_tooltip(process))
        change(self.html, value=row_html(process))

    def close(self) -> None:
        for each in (self.box, self.button, self.html, self.html.style):
            each.close()


class Group:
    """A heading that folds, and its rows."""

    def __init__(self, name: str, *, is_open: bool, redraw: Callable[[], None], look: dict[str, Any]) -> None:
        self.name, self.is_open, self.most = name, is_open, _STEP
        self._redraw = redraw
        self.head = widgets.Button(layout=look["head"], style=look["style"], tooltip="Show or hide this group")
        self.head.on_click(lambda _: self._fold())
        self.more = widgets.Button(layout=widgets.Layout(width="auto", display="none"), style=look["style"])
        self.more.on_click(lambda _: self._show_more())
        self.box = widgets.VBox([self.head, self.more], layout=widgets.Layout(display="none"))

    def _fold(self) -> None:
        self.is_open = not self.is_open
        self._redraw()

    def _show_more(self) -> None:
        self.most += _STEP
        self._redraw()

    def show(self, boxes: list[Any], total: int) -> None:
        left = total - len(boxes) if self.is_open else 0
        change(self.head, description=f"{'▾' if self.is_open else '▸'} {self.name} {total}")
        change(self.more, description=f"Show {min(left, _STEP)} more of {left}")
        display(self.more, left > 0)
        change(self.box, children=(self.head, *boxes, self.more))
        display(self.box, total > 0)


class ProcessList:
    """All groups. To be used by one thread only, but for the clicks, which ``later`` brings into it.

    Args:
        choose: called with the id of the process that was clicked on.
        later: runs a function in the thread.
        redraw: called in that thread when a group was folded.
    """

    def __init__(
        self,
        choose: Callable[[str], None],
        later: Callable[[Callable[[], None]], None],
        redraw: Callable[[], None],
        own_id: str | None,
    ) -> None:
        self._choose, self._own_id = choose, own_id
        self._look = _looks()
        self._rows: dict[str, Row] = {}
        self._groups = [
            Group(name, is_open=name != GROUPS[2], redraw=lambda: later(redraw), look=self._look) for name in GROUPS
        ]
        self.box = widgets.VBox([group.box for group in self._groups])

    def show(self, processes: Iterable[Json], text: str, chosen: str | None) -> int:
        """Show those that mention the text; how many these are."""
        wanted = text.strip().casefold()
        found = [process for process in processes if not wanted or _mentions(process, wanted)]
        found.sort(key=lambda process: (process["started_at"] or "", process["process_id"]), reverse=True)
        kept = set()
        for group in self._groups:
            members = {p["process_id"]: p for p in found if group_of(p) == group.name}
            boxes = []
            if group.is_open:
                ordered = in_tree_order(Process(p["process_id"], parent_id=p["parent_id"]) for p in members.values())
                for depth, each in list(ordered)[: group.most]:
                    process = members[each.process_id]
                    row = self._row(each.process_id)
                    title = title_of(process, depth, own=each.process_id == self._own_id)
                    row.show(process, title, chosen=each.process_id == chosen)
                    kept.add(each.process_id)
                    boxes.append(row.box)
            group.show(boxes, len(members))
        for process_id in self._rows.keys() - kept:
            self._rows.pop(process_id).close()
        return len(found)

    def close(self) -> None:
        """Close what rows share; the rows themselves are below `box`."""
        for part in self._look.values():
            part.close()

    def _row(self, process_id: str) -> Row:
        if process_id not in self._rows:
            self._rows[process_id] = Row(lambda: self._choose(process_id), self._look)
        return self._rows[process_id]


def change(widget: Any, **values: Any) -> None:
    """Set what differs, in one message; nothing is sent when nothing does."""
    with widget.hold_sync():
        for name, value in values.items():
            if getattr(widget, name) != value:
                setattr(widget, name, value)


def display(widget: Any, wanted: bool) -> None:
    """Show it, or leave it out."""
    change(widget.layout, display="" if wanted else "none")


def close_all(widget: Any) -> None:
    """Close a widget and all it is made of: ipywidgets keeps layouts, styles and children open."""
    parts = [*getattr(widget, "children", ()), getattr(widget, "style", None), getattr(widget, "layout", None)]
    widget.close()
    for part in parts:
        if part is not None:
            close_all(part)


def _mentions(process: Json, wanted: str) -> bool:
    return any(process[key] and wanted in process[key].casefold() for key in _SEARCHED)


def _tooltip(process: Json) -> str:
    parts = [process["kind"], f"pid {process['pid']}" if process["pid"] else "", process["path"] or ""]
    return " · ".join(part for part in parts if part)


def _looks() -> dict[str, Any]:
    """Shared by all rows: a layout is a widget, too."""
    return {
        "name": widgets.Layout(width="13em", flex="0 0 auto"),
        "text": widgets.Layout(flex="1 1 auto", margin="0"),
        "row": widgets.Layout(align_items="flex-start"),
        "head": widgets.Layout(width="auto", align_self="flex-start"),
        "style": widgets.ButtonStyle(),
    }
