"""The chosen process: its buttons, the question before a stop, what was observed of a request, its tabs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]

from ..client import VaultClient
from ..errors import VaultError
from ..model import Action, Request
from ..panel.wire import Json, sentence
from .actions import Choice, why_not
from .pages import PAGES
from .rows import change, close_all, display
from .words import escaped, state_html, title_of

log = logging.getLogger("tablevault_ext")

_BUTTONS = {
    Action.PAUSE: ("Pause", "warning", "pause", "Pause at the next checkpoint"),
    Action.RESUME: ("Resume", "success", "play", "Let it go on"),
    Action.STOP: ("Stop", "danger", "stop", "Stop; asks first"),
}


class Question:
    """A sentence and its answers; *Cancel* comes first and has the focus."""

    def __init__(self, answer: Callable[[Choice | None], None]) -> None:
        self._answer = answer
        self._text = widgets.HTML()
        self._buttons = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox([self._text, self._buttons], layout=widgets.Layout(display="none"))

    def ask(self, text: str, choices: list[Choice]) -> None:
        self.hide()
        wide = widgets.Layout(width="auto")
        cancel = widgets.Button(description="Cancel", layout=wide, tooltip="Leave it as it is")
        cancel.on_click(lambda _: self._answer(None))
        buttons = [cancel]
        for choice in choices:
            style = _BUTTONS[choice.action][1]
            button = widgets.Button(description=choice.label, layout=wide, button_style=style)
            button.on_click(lambda _, choice=choice: self._answer(choice))
            buttons.append(button)
        change(self._text, value=f'<div role="alert" class="tv-question">{escaped(text, 1000)}</div>')
        change(self._buttons, children=tuple(buttons))
        display(self.box, True)
        cancel.focus()

    def hide(self) -> None:
        if self.box.layout.display != "none":
            display(self.box, False)
            old, self._buttons.children = self._buttons.children, ()
            for button in old:
                close_all(button)


class Details:
    """Shown when a process is chosen. To be used by one thread only.

    Args:
        press: called with the action of a button that was clicked.
        answer: called with the answer to a question; None to leave it.
        undo: called to withdraw the pending request.
        hurry: called to turn the pending request into one *now*.
        turn: called when another tab was chosen.
    """

    def __init__(
        self,
        client: VaultClient,
        *,
        press: Callable[[Action], None],
        answer: Callable[[Choice | None], None],
        undo: Callable[[], None],
        hurry: Callable[[], None],
        turn: Callable[[], None],
    ) -> None:
        self._client = client
        self._title = widgets.HTML()
        self.buttons = {action: self._button(action, press) for action in _BUTTONS}
        self._told = widgets.HTML()
        self.withdraw = widgets.Button(description="Withdraw", tooltip="Take the request back before it takes effect")
        self.withdraw.on_click(lambda _: undo())
        self.now = widgets.Button(description="Now", tooltip="Do not wait for a checkpoint: by signal, its whole tree")
        self.now.on_click(lambda _: hurry())
        self._pending = widgets.HBox([self.withdraw, self.now], layout=widgets.Layout(display="none"))
        self.question = Question(answer)
        self._pages = [widgets.HTML() for _ in PAGES]
        self.tabs = widgets.Tab(self._pages, titles=tuple(PAGES), selected_index=0)
        self.tabs.observe(lambda _: turn(), "selected_index")
        head = widgets.HBox([self._title, *self.buttons.values()], layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox(
            [head, self._told, self._pending, self.question.box, self.tabs], layout=widgets.Layout(display="none")
        )

    def _button(self, action: Action, press: Callable[[Action], None]) -> Any:
        label, style, icon, tooltip = _BUTTONS[action]
        layout = widgets.Layout(width="auto")
        button = widgets.Button(description=label, button_style=style, icon=icon, tooltip=tooltip, layout=layout)
        button.on_click(lambda _: press(action))
        return button

    def show(self, process: Json | None, told: str) -> None:
        """The chosen process as it stands; ``told`` is what was observed of the last request."""
        if process is None:
            display(self.box, False)
            return
        change(self._title, value=f"<b>{escaped(title_of(process))}</b> {state_html(process)}&nbsp;")
        for action, button in self.buttons.items():
            reason = why_not(process, action)
            change(button, disabled=bool(reason), tooltip=reason or _BUTTONS[action][3])
        change(self._told, value=f'<div role="status" class="tv-told">{escaped(told, 500)}</div>' if told else "")
        request = process["request"] or {}
        # A request *now* waits for no checkpoint: it can be neither taken back nor hurried.
        display(self._pending, bool(request) and request["outcome"] is None and not request["now"])
        display(self.box, True)  # last: nothing is seen half done

    def show_page(self, process: Json) -> None:
        """Read the tab that is open."""
        index = self.tabs.selected_index or 0
        name = list(PAGES)[index]
        try:
            text = PAGES[name](self._client, process)
        except VaultError as error:
            text = escaped(sentence(str(error)), 500)
        except Exception as error:
            log.exception("the panel could not show %s", name)
            text = f"{name} could not be read: {escaped(repr(error), 300)}."
        change(self._pages[index], value=f'<div class="tv-page">{text}</div>')

    def clear_pages(self) -> None:
        """Another process was chosen: what the tabs show is not its own."""
        for page in self._pages:
            change(page, value='<div class="tv-page">reading…</div>')


def observed(request: Request) -> str:
    """What was seen of a request, in a quiet line."""
    return sentence(str(request))
