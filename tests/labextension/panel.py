"""The panel as a test meets it: by its roles and words, as a person would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect


class PanelPage:
    """The process panel in a page in which JupyterLab has started."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.get_by_role("region", name="Processes")
        self.tree = self.panel.get_by_role("tree", name="Processes")

    def command(self, name: str, **args: object) -> None:
        """Execute one of JupyterLab's commands."""
        self.page.evaluate("([id, args]) => jupyterapp.commands.execute(id, args).then(() => null)", [name, args])

    def open(self) -> PanelPage:
        self.page.wait_for_function("window.jupyterapp?.commands.hasCommand('tablevault:show-panel')")
        # A layout that is restored later would close the panel again.
        self.page.evaluate("() => jupyterapp.restored.then(() => null)")
        self.command("tablevault:show-panel")
        self.panel.wait_for()
        return self

    def fresh(self) -> PanelPage:
        """Without a filter, a choice, a menu or a question."""
        self.page.keyboard.press("Escape")
        self.dialog.wait_for(state="hidden")
        self.open()
        self.panel.get_by_role("searchbox", name="Filter processes").fill("")
        expect(self.tree.or_(self.panel.get_by_text("Nothing is being recorded yet."))).to_be_visible()
        if self.tree.is_visible():
            self.tree.focus()
            self.page.keyboard.press("Escape")
        return self

    def group(self, name: str, *, opened: bool) -> None:
        """Open or close a group."""
        row = self.tree.get_by_role("treeitem", name=name)
        if row.get_attribute("aria-expanded") != str(opened).lower():
            row.click()

    @contextmanager
    def toasts_stay(self) -> Iterator[None]:
        """Notifications that come meanwhile are not taken away after their seconds: a busy machine may need more."""
        # Their time does not begin in a window that seems to lack the focus.
        self.page.evaluate("() => { document.hasFocus = () => false }")
        try:
            yield
        finally:
            self.page.evaluate("() => { delete document.hasFocus }")

    def close_dialogs(self) -> None:
        """From now on what JupyterLab itself has to say of the server is closed as soon as it stands in the way."""
        self.page.add_locator_handler(self.dialog, lambda: self.page.keyboard.press("Escape"))

    def theme(self, name: str) -> None:
        full = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[name]
        self.page.wait_for_function("window.jupyterapp?.commands.hasCommand('apputils:change-theme')")
        self.command("apputils:change-theme", theme=full)
        self.page.wait_for_selector(f"body[data-jp-theme-name='{full}']", state="attached")

    def row(self, name: str) -> Locator:
        return self.tree.get_by_role("treeitem").filter(has=self.page.get_by_text(name, exact=True)).first

    def status(self, name: str) -> str | None:
        return self.row(name).get_attribute("data-status")

    def tab(self, name: str) -> Locator:
        self.panel.get_by_role("tab", name=name).click()
        return self.panel.get_by_role("tabpanel")

    def button(self, name: str) -> Locator:
        """Pause, Resume or Stop of the chosen process."""
        return self.panel.get_by_role("group", name="Control").get_by_role("button", name=name, exact=True)

    def action(self, name: str) -> None:
        """Press one of them."""
        self.button(name).click()

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def answer(self) -> Locator:
        return self.panel.locator(".tv-Answer")
