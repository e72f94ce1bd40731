"""A front end for widgets, as far as a test needs one: it keeps the state of every model and clicks on buttons."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty
from typing import Any

from ..support import Kernel

Model = dict[str, Any]
SLOW_MACHINE = 90.0  # seconds; every wait ends as soon as its condition holds


class FrontEnd:
    """Follows the comm messages of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.models: dict[str, Model] = {}
        self.root = ""
        self.updates: list[tuple[str, Model]] = []
        self.customs: list[tuple[str, Model]] = []
        self.texts: list[str] = []

    def show(self, code: str = "%vault_panel") -> None:
        """Run a cell and wait for the widget that it shows."""
        self.root = ""
        self.kernel.send(code)
        self.wait(lambda: self.root in self.models, "the widget is there")

    def take(self, timeout: float = 0.1) -> bool:
        """Take in one message; False if none came."""
        try:
            message = self.kernel.client.get_iopub_msg(timeout=timeout)
        except Empty:
            return False
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_open":
            self.models[content["comm_id"]] = dict(content["data"]["state"])
        elif kind == "comm_close":
            self.models.pop(content["comm_id"], None)
        elif kind == "comm_msg":
            self._take_comm(content["comm_id"], content["data"])
        elif kind in ("execute_result", "display_data"):
            view = content["data"].get("application/vnd.jupyter.widget-view+json")
            self.root = view["model_id"] if view else self.root
            self.texts.append(content["data"].get("text/plain", ""))
        elif kind == "error":
            self.texts.append("\n".join(content["traceback"]))
        return True

    def _take_comm(self, comm_id: str, data: Model) -> None:
        if data["method"] == "update" and comm_id in self.models:
            self.models[comm_id].update(data["state"])
            self.updates.append((comm_id, data["state"]))
        elif data["method"] == "custom":
            self.customs.append((comm_id, data["content"]))

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + SLOW_MACHINE
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"{what} did not come true; shown is:\n{self.text()}\n{self.texts}"
            self.take()

    # Looking

    def below(self, comm_id: str | None = None) -> list[str]:
        """The models under one (the shown one), as they are drawn; what is not displayed is left out."""
        model = self.models[comm_id or self.root]
        found = []
        for reference in model.get("children", ()):
            child = reference.removeprefix("IPY_MODEL_")
            layout = self.models.get(child, {}).get("layout", "").removeprefix("IPY_MODEL_")
            if child in self.models and self.models.get(layout, {}).get("display") != "none":
                found += [child, *self.below(child)]
        return found

    def text(self) -> str:
        """Everything that is shown."""
        shown = [self.models[each] for each in self.below()] if self.root in self.models else []
        return "\n".join(str(model.get("value") or model.get("description") or "") for model in shown)

    def button(self, description: str) -> str:
        """The id of the shown button with this description; empty if there is none."""
        found = [each for each in self.below() if self.models[each].get("description") == description]
        return found[0] if found else ""

    def enabled(self, description: str) -> bool:
        found = self.button(description)
        return bool(found) and not self.models[found].get("disabled")

    def page(self) -> str:
        """What the open tab shows; empty while it is still read."""
        tabs = self._tabs()
        if not tabs:
            return ""
        chosen = self.models[tabs]["children"][self.models[tabs]["selected_index"]]
        value = str(self.models[chosen.removeprefix("IPY_MODEL_")]["value"])
        return "" if "reading…" in value else value

    def _tabs(self) -> str:
        return next((each for each in self.below() if self.models[each].get("titles")), "")

    # Doing

    def click(self, description: str) -> None:
        """Wait until the button is there and enabled, and click on it."""
        self.wait(lambda: self.enabled(description), f"a button {description!r} that is enabled")
        self.custom(self.button(description), {"event": "click"})

    def custom(self, comm_id: str, content: Model) -> None:
        self._send("comm_msg", comm_id, {"method": "custom", "content": content})

    def set(self, comm_id: str, **state: Any) -> None:
        self.models[comm_id].update(state)
        self._send("comm_msg", comm_id, {"method": "update", "state": state, "buffer_paths": []})

    def close(self, comm_id: str) -> None:
        self._send("comm_close", comm_id, {})

    def tab(self, name: str) -> None:
        """Choose a tab."""
        found = self.wait(self._tabs, "the tabs")
        self.set(found, selected_index=self.models[found]["titles"].index(name))

    def _send(self, kind: str, comm_id: str, data: Model) -> None:
        client = self.kernel.client
        client.shell_channel.send(client.session.msg(kind, {"comm_id": comm_id, "data": data}))
