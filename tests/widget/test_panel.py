"""The widget in a real kernel, spoken to as a front end does, over real scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tablevault_ext.paths import VaultPaths

from ..support import Kernel, process_named, run_script, running_script, wait_for_status, wait_until
from .front_end import FrontEnd

pytestmark = pytest.mark.timeout(600)  # kernels and scripts start and end, on whatever machine

LOOP = """
    import sys, time
    from tablevault_ext import Vault

    vault = Vault(process_name=sys.argv[1])
    print("printed by the loop", flush=True)
    print("warned by the loop", file=sys.stderr, flush=True)
    for step in range(10**9):
        vault.append_record("loss", {"loss": 1 / (step + 1)}) if step < 20 else None
        vault.progress(step % 100, 100, "steps")
        vault.checkpoint_execution()
        time.sleep(0.005)
"""
THREADS = "sorted(t.name for t in __import__('threading').enumerate() if t.name.startswith('tablevault-panel'))"


def test_a_click_pauses_resumes_and_stops_a_real_script(front_end: FrontEnd, vault: VaultPaths, tmp_path: Path) -> None:
    with running_script(tmp_path, LOOP, "train") as child:
        wait_for_status(vault, "train", "running")
        front_end.show()
        front_end.click("train")
        front_end.wait(lambda: front_end.enabled("Pause"), "the buttons are there")
        resume = front_end.models[front_end.button("Resume")]
        assert (resume["disabled"], resume["tooltip"]) == (True, "It is not paused.")
        front_end.click("Pause")
        wait_for_status(vault, "train", "paused")
        front_end.wait(lambda: "pause of train#1: effective" in front_end.text(), "the receipt is shown")
        front_end.wait(lambda: "⏸ paused" in front_end.text(), "the state is shown")
        front_end.wait(lambda: not front_end.enabled("Pause"), "it cannot be paused again")
        front_end.tab("Requests")
        front_end.wait(lambda: "EFFECTIVE AFTER" in front_end.text(), "the table of requests")
        front_end.click("Resume")
        wait_for_status(vault, "train", "running")
        front_end.click("Stop")
        front_end.wait(lambda: front_end.button("Cancel"), "the question")
        assert "This ends train" in front_end.text()
        focus = (front_end.button("Cancel"), {"do": "focus"})
        front_end.wait(lambda: focus in front_end.customs, "Cancel has the focus")
        front_end.click("Cancel")
        front_end.wait(lambda: not front_end.button("Cancel"), "the question is gone")
        assert process_named(vault, "train").status == "running"
        front_end.click("Stop")
        front_end.click("Stop at the next checkpoint")
        child.wait(90)
        front_end.wait(lambda: "🔴 stopped" in front_end.text(), "the end is shown")
        stop = front_end.models[front_end.button("Stop")]
        front_end.wait(lambda: stop["tooltip"] == "train has ended (stopped).", "why it cannot be stopped")


def test_the_tabs_show_cells_logs_plots_and_why_it_failed(
    front_end: FrontEnd, vault: VaultPaths, tmp_path: Path
) -> None:
    code = LOOP + "        if step == 30: raise KeyError('lr')\n"
    assert run_script(tmp_path, code, "sweep").returncode == 1
    front_end.show()
    front_end.click("sweep")
    front_end.wait(lambda: "Needs attention 1" in front_end.text(), "it needs attention")
    front_end.wait(lambda: "import sys, time" in front_end.text(), "its code")
    for tab, wanted in (
        ("Errors", "Traceback (most recent call last)"),
        ("Progress", "<polyline"),
        ("Post-mortem", "Inferred (not observed)"),
        ("Requests", "Nothing has been asked of it."),
        ("Logs", "⚙ sweep#1 failed"),
    ):
        front_end.tab(tab)
        front_end.wait(lambda wanted=wanted: wanted in front_end.text(), f"{wanted} under {tab}")
    assert "KeyError" in front_end.text()


def test_a_request_that_waits_says_why_and_is_withdrawn(front_end: FrontEnd, vault: VaultPaths, tmp_path: Path) -> None:
    code = """
        import time
        from tablevault_ext import Vault
        vault = Vault(process_name="slow")
        vault.checkpoint_execution()
        time.sleep(900)
    """
    with running_script(tmp_path, code):
        wait_for_status(vault, "slow", "running")
        front_end.show()
        front_end.click("slow")
        front_end.click("Pause")
        front_end.wait(lambda: "pausing…" in front_end.text() and "pause asked" in front_end.text(), "it is pending")
        front_end.wait(lambda: "its last checkpoint was" in front_end.text(), "why not yet")
        front_end.click("Withdraw")
        wait_for_status(vault, "slow", "running")
        front_end.wait(
            lambda: "pausing…" not in front_end.text(), "it is taken back, although the script has not heard"
        )
        front_end.wait(lambda: front_end.enabled("Pause"), "it can be paused again")
        front_end.click("Pause")
        front_end.wait(lambda: "pausing…" in front_end.text(), "it is pending again")
        front_end.click("Now")
        wait_for_status(vault, "slow", "paused")
        front_end.wait(lambda: "⏸ paused" in front_end.text(), "it is suspended")


def test_names_and_outputs_that_look_like_html_stay_text(
    front_end: FrontEnd, vault: VaultPaths, tmp_path: Path
) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    code = f"""
        from tablevault_ext import Vault
        vault = Vault(process_name={evil!r}, description={evil!r}, user_id={evil!r})
        vault.append_record({evil!r}, {{{evil!r}: 1.5}})
        vault.progress(3, 10, {evil!r})
        vault.pause_execution({evil!r}, reason={evil!r})
        vault.withdraw_request(vault.get_process({evil!r}).request)
        raise ValueError({evil!r})
    """
    assert run_script(tmp_path, code).returncode == 1
    front_end.show()
    front_end.click(evil)
    for tab in ("Cells", "Errors", "Logs", "Progress", "Requests", "Post-mortem"):
        front_end.tab(tab)
        front_end.wait(front_end.page, tab)
    shown = [model["value"] for model in front_end.models.values() if model.get("_model_name") == "HTMLModel"]
    assert any("&lt;img" in value for value in shown)
    assert not any("<img" in value for value in shown)


def test_it_is_quiet_when_nothing_changes_and_says_when_the_kernel_is_busy(front_end: FrontEnd) -> None:
    front_end.show()
    front_end.wait(lambda: "Running 1" in front_end.text(), "this notebook is listed")
    front_end.kernel.send("import time\nwhile True: time.sleep(0.01)")
    front_end.wait(lambda: "A cell is running in this notebook" in front_end.text(), "it is said; the display is live")
    seen = len(front_end.updates)
    front_end.wait(lambda: len(front_end.updates) > seen, "updates while the cell runs")
    rows = [state for _, state in front_end.updates if "children" in state]
    assert len(rows) < 12, "the tree was rebuilt"
    front_end.kernel.manager.interrupt_kernel()
    front_end.wait(lambda: "A cell is running" not in front_end.text(), "it is over")


def test_closing_stops_the_thread_and_takes_every_model_away(front_end: FrontEnd, kernel: Kernel) -> None:
    front_end.show("p = %vault_panel\np")
    front_end.wait(lambda: "Running 1" in front_end.text(), "the list")
    assert kernel.run(THREADS).text == "['tablevault-panel']"
    assert kernel.run("p.close(); p").text.endswith("closed>")
    wait_until(lambda: kernel.run(THREADS).text == "[]", "the thread has ended")
    left = kernel.run("import ipywidgets; sorted(type(w).__name__ for w in ipywidgets.widget._instances.values())")
    assert left.text == "[]"
    assert kernel.run("p.close()").status == "ok"


def test_showing_it_again_ends_the_one_before(front_end: FrontEnd, kernel: Kernel) -> None:
    front_end.show()
    first = front_end.root
    front_end.show()
    assert front_end.root != first
    front_end.wait(lambda: first not in front_end.models, "the first is closed")
    wait_until(lambda: kernel.run(THREADS).text == "['tablevault-panel']", "one thread is left")


def test_a_front_end_that_lets_go_stops_the_thread(front_end: FrontEnd, kernel: Kernel) -> None:
    front_end.show()
    front_end.close(front_end.root)
    wait_until(lambda: kernel.run(THREADS).text == "[]", "the thread has ended")


def test_loading_the_extension_imports_no_widgets(kernel: Kernel) -> None:
    assert kernel.run("'ipywidgets' in __import__('sys').modules").text == "False"
    reply = kernel.run("%vault_panel --help")
    assert "%vault_panel" in reply.text and reply.status == "ok"


def test_a_vault_that_went_away_is_one_sentence(front_end: FrontEnd, vault: VaultPaths) -> None:
    front_end.show()
    front_end.wait(lambda: "Running 1" in front_end.text(), "the list")
    vault.root.rename(vault.root.with_name("elsewhere"))
    try:
        front_end.wait(lambda: "is gone" in front_end.text(), "the sentence")
    finally:
        vault.root.with_name("elsewhere").rename(vault.root)
    front_end.wait(lambda: "is gone" not in front_end.text(), "it recovers")
