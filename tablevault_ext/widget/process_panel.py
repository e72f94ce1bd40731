"""The widget: the list, the chosen process, and what is done when a button is clicked.

Clicks come in the kernel's main thread (or a subshell's) and only leave a job behind; one background thread does the
reading and every change of the widgets. So the panel never blocks a cell, and goes on while one runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import ipywidgets as widgets  # type: ignore[import-untyped]

from ..client import VaultClient
from ..display.words import count, shown, size
from ..errors import VaultError
from ..model import Action, Kind, Request
from ..panel.impact import impact_of
from ..panel.wire import Json, sentence
from .actions import Choice, stop_choices, stop_question
from .details import Details, observed
from .feed import Feed
from .rows import ProcessList, change, close_all
from .watcher import Watcher
from .words import escaped

_FOLLOWED = 15.0  # seconds for which a request made here is looked at often
_BUSY = 1.0  # seconds a cell runs before the panel says so
_EMPTY = (
    "Nothing is being recorded yet. Run <code>%load_ext tablevault_ext</code> in a notebook, or "
    "<code>tablevault run script.py</code>."
)
_CLASS = "tablevault-widget"
_RULES = {
    ".tv-row": "display: flex; gap: 0.6em; align-items: baseline; line-height: 1.9; white-space: nowrap",
    ".tv-state": "border-left: 0.4em solid; padding-left: 0.4em; width: 12em; flex: none",
    ".tv-curve": "width: 5.5em; flex: none",
    ".tv-number": "width: 5.5em; flex: none; text-align: right; font-variant-numeric: tabular-nums",
    ".tv-news": "opacity: 0.8; line-height: 1.5; overflow-wrap: anywhere",
    ".tv-told": "opacity: 0.8; line-height: 1.5",
    ".tv-foot": "opacity: 0.8; line-height: 1.5",
    ".tv-page": "max-height: 26em; overflow: auto",
    # Reversed, a box that scrolls begins at its end: the newest lines are in sight.
    ".tv-tail": "max-height: 25em; overflow: auto; display: flex; flex-direction: column-reverse",
    ".tv-log": "white-space: pre-wrap; flex: none",
    ".tv-stderr": "border-left: 0.3em solid red; padding-left: 0.3em",
    ".tv-system": "opacity: 0.7",
    ".tv-plot": "display: inline-block; margin: 0.3em",
    ".tv-notice": "border-left: 0.4em solid orange; padding-left: 0.4em; line-height: 1.5",
    ".tv-question": "border-left: 0.4em solid red; padding-left: 0.4em; line-height: 1.5",
}
_STYLE = f"<style>{' '.join(f'.{_CLASS} {name} {{ {rule} }}' for name, rule in _RULES.items())}</style>"


class Panel(widgets.VBox):  # type: ignore[misc]
    """The process panel of one vault; made by `tablevault_ext.widget.panel`."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self._own_id = client._own_id()
        self._feed = Feed(client._paths)
        self._watcher = Watcher(self._look, self._show_trouble)
        self._chosen: str | None = None
        self._asked: Request | None = None
        self._follow_until = 0.0
        self._told = ""
        later = self._watcher.do
        self._notice = widgets.HTML()
        self._filter = widgets.Text(placeholder="filter…", layout=widgets.Layout(width="20em"))
        self._filter.observe(lambda _: later(self._draw), "value")
        self._list = ProcessList(
            lambda process_id: later(lambda: self._choose(process_id)), later, self._draw, self._own_id
        )
        self._foot = widgets.HTML()
        self._details = Details(
            client,
            press=lambda action: later(lambda: self._press(action)),
            answer=lambda choice: later(lambda: self._answer(choice)),
            undo=lambda: later(self._withdraw),
            hurry=lambda: later(self._hurry),
            turn=lambda: later(self._turn_page),
        )
        super().__init__(
            [widgets.HTML(_STYLE), self._filter, self._notice, self._list.box, self._details.box, self._foot],
            layout=widgets.Layout(width="100%"),
        )
        self.add_class(_CLASS)
        self._notice.value = "Reading the vault…"
        if self.comm is not None and hasattr(self.comm, "on_close"):
            self.comm.on_close(lambda _: self._watcher.stop())  # the front end let go of it
        self._watcher.start()

    def __repr__(self) -> str:
        return f"<Panel of {self._client.path}{'' if self.is_live else ', closed'}>"

    @property
    def is_live(self) -> bool:
        """Whether it still follows the vault."""
        return not self._watcher.stopped

    def close(self) -> None:
        """Stop following the vault and take the panel away. A second call does nothing."""
        watcher = self.__dict__.get("_watcher")  # absent if making it failed
        if watcher is None or self.comm is None:
            return
        watcher.stop()
        self._details.question.hide()
        parts = [*self.children, self.layout]
        super().close()
        for part in parts:
            close_all(part)
        self._list.close()

    # In the background thread

    def _look(self) -> bool:
        changed = self._feed.look()
        self._see_what_became()
        self._draw()
        if self._chosen is not None and (self._chosen in changed or self._page_name() in ("Logs", "Requests")):
            self._turn_page()
        return time.monotonic() < self._follow_until

    def _draw(self) -> None:
        processes = self._feed.processes
        found = self._list.show(processes.values(), self._filter.value, self._chosen)
        said = [self._own_state(), escaped(self._feed.notice, 500)]
        if not processes:
            said.append(_EMPTY)
        elif not found:
            said.append("No process matches the filter.")
        text = "<br>".join(line for line in said if line)
        change(self._notice, value=f'<div role="status" class="tv-notice">{text}</div>' if text else "")
        self._details.show(self._process(), self._told)
        host = self._feed.host()
        cpu = "" if host["cpu"] is None else f"CPU {host['cpu']:.0f}% of {count(host['cores'], 'core')} · "
        free = f"{size(host['memory_available'])} of {size(host['memory_total'])} memory free"
        change(self._foot, value=f'<div class="tv-foot">{cpu}{free}</div>')

    def _own_state(self) -> str:
        """Clicks reach this kernel through its queue: say when they have to wait."""
        own = self._feed.processes.get(self._own_id or "")
        cell = own["current_cell"] if own is not None else None
        if own is None or cell is None or own["kind"] != Kind.NOTEBOOK.value or _age(cell["started_at"]) < _BUSY:
            return ""
        if own["status"] == "paused":
            name = escaped(own["name"], 60)
            return (
                f"This notebook is paused inside a cell, so clicks here may not reach it. Resume it from JupyterLab's "
                f"sidebar, another notebook, or with <code>tablevault resume {name}</code>."
            )
        return "A cell is running in this notebook: a click here may wait for its end; what is shown stays live."

    def _show_trouble(self, error: Exception) -> None:
        what = sentence(str(error)) if isinstance(error, VaultError) else f"The vault could not be read ({error!r})."
        change(
            self._notice,
            value=f'<div role="alert" class="tv-notice">{escaped(what, 500)} It is tried again each second.</div>',
        )

    def _process(self) -> Json | None:
        return self._feed.processes.get(self._chosen or "")

    def _page_name(self) -> str:
        return str(self._details.tabs.titles[self._details.tabs.selected_index or 0])

    def _turn_page(self) -> None:
        process = self._process()
        if process is not None:
            self._details.show_page(process)

    def _choose(self, process_id: str) -> None:
        if process_id != self._chosen:
            self._details.question.hide()
            self._details.clear_pages()
            self._told, self._asked = "", None
        self._chosen = process_id
        self._draw()
        self._turn_page()

    # Asking

    def _press(self, action: Action) -> None:
        process = self._process()
        if process is None:
            return
        if action is Action.PAUSE:
            self._request(Choice("", action))
            return
        entry = self._feed.board.entry(process["process_id"])
        impact = impact_of(self._feed.board, entry, action, now=False, keep_kernel=False)
        if action is Action.STOP:
            self._details.question.ask(stop_question(process, impact), stop_choices(process))
        elif impact["memory"] and not impact["memory"]["fits"]:
            memory = impact["memory"]
            needs = f"{shown(process['name'], 60)} may need {size(memory['needed'])}"
            text = f"{needs}, and only {size(memory['available'])} of memory are free."
            self._details.question.ask(text, [Choice("Resume all the same", action)])
        else:
            self._request(Choice("", action))

    def _answer(self, choice: Choice | None) -> None:
        self._details.question.hide()
        if choice is not None:
            self._request(choice)

    def _request(self, choice: Choice) -> None:
        client, process_id = self._client, self._chosen or ""
        if choice.action is Action.STOP:
            self._apart(lambda: client.stop_execution(process_id, now=choice.now, keep_kernel=choice.keep_kernel))
        elif choice.action is Action.PAUSE:
            self._apart(lambda: client.pause_execution(process_id, now=choice.now))
        else:
            self._apart(lambda: client.resume_execution(process_id))

    def _pending(self) -> Request | None:
        request = self._client.get_process(self._chosen).request if self._chosen else None
        return request if request is not None and request.pending else None

    def _withdraw(self) -> None:
        request = self._pending()
        if request is not None:
            self._apart(lambda: self._client.withdraw_request(request))

    def _hurry(self) -> None:
        """A pause now may be undone and is made at once; a stop now asks first, since it kills."""
        request, process = self._pending(), self._process()
        if request is None or process is None:
            return
        choice = Choice("End now, by signal", request.action, now=True)
        if request.action is Action.STOP:
            entry = self._feed.board.entry(process["process_id"])
            impact = impact_of(self._feed.board, entry, request.action, now=True, keep_kernel=False)
            self._details.question.ask(stop_question(process, impact), [choice])
        else:
            self._request(choice)

    def _apart(self, ask: Callable[[], Request]) -> None:
        """In a thread of its own: what is asked *now* may take until its grace is over."""
        chosen = self._chosen

        def run() -> None:
            try:
                request = ask()
            except VaultError as error:
                said = sentence(str(error))
                self._watcher.do(lambda: self._say(said, chosen))
            else:
                self._watcher.do(lambda: self._follow(request, chosen))

        self._follow_until = time.monotonic() + _FOLLOWED
        threading.Thread(target=run, name="tablevault-panel-ask", daemon=True).start()

    def _say(self, text: str, process_id: str | None) -> None:
        if process_id == self._chosen:
            self._told = text
            self._draw()

    def _follow(self, request: Request, process_id: str | None) -> None:
        if process_id == self._chosen:
            self._asked = request
            self._see_what_became()

    def _see_what_became(self) -> None:
        if self._asked is None:
            return
        self._asked = self._client.get_request(self._asked)
        self._told = observed(self._asked)
        if not self._asked.pending:
            self._asked, self._follow_until = None, 0.0


def _age(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
