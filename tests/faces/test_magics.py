"""The magics in a real kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tablevault_ext.magics import LINE_MAGICS
from tablevault_ext.paths import VaultPaths, open_vault

from ..support import Kernel, events, process_named, wait_for_status, wait_until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> VaultPaths:
    """The vault of `shared`."""
    return open_vault(tmp_path_factory.mktemp("shared") / "vault")


@pytest.fixture(scope="module")
def shared(home: VaultPaths) -> Iterator[Kernel]:
    """One kernel for the tests that leave it as it was: starting one takes a second."""
    kernel = Kernel(home.root.parent, env={"TABLEVAULT_HOME": str(home.root)})
    kernel.run("%load_ext tablevault_ext")
    yield kernel
    kernel.close()


def codes(vault: VaultPaths, name: str = "notebook") -> list[str]:
    return [event["code"] for event in events(vault, process_named(vault, name), "cell_started")]


def html(kernel: Kernel, code: str) -> str:
    """The HTML form of what a cell shows."""
    found: list[str] = []

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] == "execute_result":
            found.append(message["content"]["data"].get("text/html", ""))

    reply = kernel.client.execute_interactive(code, timeout=150, output_hook=collect, allow_stdin=False)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(found)


def test_loading_imports_neither_click_nor_rich_nor_duckdb(shared: Kernel) -> None:
    reply = shared.run("import sys; sorted({'click', 'rich', 'duckdb', 'jupyter_server'} & set(sys.modules))")
    assert reply.text == "[]"


def test_loading_prints_nothing_and_reloading_registers_once(
    start_kernel: Callable[..., Kernel], vault: VaultPaths
) -> None:
    kernel = start_kernel()
    for line in ("%load_ext tablevault_ext", "%reload_ext tablevault_ext"):
        assert kernel.run(line).texts == []
    kernel.run("a = 1")
    assert codes(vault) == ["%load_ext tablevault_ext", "%reload_ext tablevault_ext", "a = 1"]
    transformers = kernel.run("len([t for t in get_ipython().input_transformers_cleanup if 'private' in repr(t)])")
    assert transformers.text == "1"


def test_unloading_takes_the_magics_away(kernel: Kernel) -> None:
    assert kernel.run("%unload_ext tablevault_ext").texts == []
    assert "not found" in kernel.run("%vault_ps").text
    assert kernel.run("%%vault_private\n1").status == "error"


def test_every_magic_has_help_with_an_example(shared: Kernel) -> None:
    for name in LINE_MAGICS:
        reply = shared.run(f"%{name} --help")
        assert reply.status == "ok"
        assert f"Example:  {'slow = ' if name == 'vault_sql' else ''}%{name}" in reply.text
        assert shared.run(f"%{name} -h").text == reply.text
    assert "first line" in shared.run("%%vault_private --help\n1").text


def test_tables_are_html_in_notebooks_and_text_elsewhere(shared: Kernel) -> None:
    shown = html(shared, "%vault_ps")
    assert "<table>" in shown
    assert "🟢 running" in shown
    assert "notebook" in shared.run("%vault_ps").text
    assert "%vault_stop" in shared.run("%vault").text


def test_pause_resume_and_stop_a_script(kernel: Kernel, loop: Any, vault: VaultPaths) -> None:
    assert (
        "pause of train#1: effective" in kernel.run("%vault_pause train --wait 60 --reason 'so there'", timeout=90).text
    )
    assert "⏸ paused" in kernel.run("%vault_ps").text
    assert "resume of train#1: effective" in html(kernel, "%vault_resume train --wait 60")
    assert "stop of train#1: effective" in kernel.run("%vault_stop train --wait 60", timeout=90).text
    assert loop.wait(90) == 75


def test_mistakes_are_one_line(shared: Kernel) -> None:
    for line, words in {
        "%vault_stop": "the following arguments are required: NAME",
        "%vault_stop nobody": "no process 'nobody' in this vault",
        "%vault_stop x --grace -1": "grace must be a number of seconds",
        "%vault_stop 'x": "No closing quotation",
        "%vault_ps --kind cow": "invalid choice",
        "%vault_resume notebook": "not paused",
        "%vault_sql": "needs a query",
        "%vault_sql SELEC 1": "syntax error",
        "%vault_run": "needs a script",
        "%vault_run missing.py": "there is no script 'missing.py'",
        "%vault_errors nobody": "no process 'nobody'",
        "%vault_show nobody": "no process 'nobody'",
    }.items():
        reply = shared.run(line)
        assert reply.status == "error", line
        assert reply.ename == "UsageError", line
        assert words in reply.text, line
        assert "Traceback" not in reply.text, line


def test_sql_as_line_and_cell_gives_rows_and_binds_variables(shared: Kernel) -> None:
    shared.run('wanted = "a\'; DROP TABLE cells; --"')
    assert shared.run("rows = %vault_sql SELECT $wanted AS w, 1 AS one").status == "ok"
    assert (
        shared.run("rows.fetchall() == [(wanted, 1)] and rows.fetchall() == list(rows) and len(rows) == 1").text
        == "True"
    )
    assert shared.run("rows.columns").text == "['w', 'one']"
    shown = html(shared, "%%vault_sql\nSELECT count(*) AS cells\nFROM cells")
    assert "<td" in shown
    assert '{"a": 1}' in shared.run("%vault_sql SELECT {'a': 1} AS s").text, "braces are SQL's, not Python's"
    assert "[0.5]" in shared.run("%vault_sql SELECT [0.5::DOUBLE] AS l").text


def test_an_interrupted_query_is_a_keyboard_interrupt(kernel: Kernel, vault: VaultPaths) -> None:
    """DuckDB itself would make a RuntimeError of it."""
    kernel.run("%vault_sql SELECT 1")
    endless = kernel.send("%vault_sql SELECT sum(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b")
    computed = psutil.Process(kernel.manager.provisioner.pid).cpu_times
    before = computed().user
    wait_until(lambda: computed().user > before + 0.5, "DuckDB computes")
    kernel.manager.interrupt_kernel()
    assert kernel.reply_to(endless)["ename"] == "KeyboardInterrupt"
    assert "1" in kernel.run("%vault_sql SELECT 1").text


def test_errors_come_with_their_tracebacks(shared: Kernel) -> None:
    shared.run("def broken():\n    return 1 / 0\n\nbroken()")
    shown = shared.run("%vault_errors notebook").text
    assert "ZeroDivisionError: division by zero" in shown
    assert "in broken" in shown
    assert "<details open>" in html(shared, "%vault_errors -n 1")


def test_show_tells_facts_cells_and_receipts(shared: Kernel) -> None:
    shared.run("marker_of_show = 1")
    shown = shared.run("%vault_show notebook -n 2").text
    assert "notebook#1" in shown and "marker_of_show = 1" in shown
    assert "Last cells" in html(shared, "%vault_show notebook")


def test_a_private_cell_runs_like_any_other_and_is_not_kept(kernel: Kernel, vault: VaultPaths) -> None:
    assert kernel.run("%%vault_private\nsecret = 'hunter2'\nprint(secret)\nsecret.upper()").texts[-1] == "'HUNTER2'"
    waited = "%%vault_private\nimport asyncio\nawait asyncio.sleep(0)\nsecret2 = 'hunter3'"
    assert kernel.run(waited).status == "ok"
    failed = kernel.run("%%vault_private\n\nraise ValueError('hunter4')")
    assert "hunter4" in failed.text, "the notebook itself shows everything"
    assert "line 3" in failed.text, "line numbers are the cell's own"
    assert kernel.run("len(secret), len(secret2)").text == "(7, 7)"
    process = process_named(vault, "notebook")
    assert codes(vault).count("%%vault_private") == 3
    finished = events(vault, process, "cell_finished")
    assert [event["error_type"] for event in finished if event.get("error_type")] == ["ValueError"]
    wait_until(lambda: events(vault, process, "cell_output"), "outputs are recorded")
    assert "hunter" not in vault.journal(process.process_id).read_text()


def test_private_further_down_is_refused_because_it_would_be_too_late(shared: Kernel) -> None:
    reply = shared.run("get_ipython().run_cell_magic('vault_private', '', 'done = 1')")
    assert "must be the first line" in reply.text
    assert shared.run("'done' in globals()").text == "False"


def test_run_starts_a_child_of_this_cell_in_the_background(kernel: Kernel, vault: VaultPaths, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text("print('hello from the child')")
    assert "started child.py#1" in kernel.run("%vault_run child.py").text
    child = wait_for_status(vault, "child.py", "finished")
    me = process_named(vault, "notebook")
    assert (child.parent_id, child.parent_cell) == (me.process_id, 1)
    # Its own last word is that it finished; what it printed goes by way of a pipe.
    wait_until(lambda: "hello from the child" in kernel.run("%vault_logs child.py").text, "its output is there")
    started = kernel.run("%vault_run --name other -- sh -c 'exit 3'")
    assert "started other#1" in started.text
    assert wait_for_status(vault, "other", "failed").exit_code == 3


def test_cleanup_says_what_it_closed(shared: Kernel) -> None:
    assert shared.run("%vault_cleanup --interval 0").text.strip() == "Nothing was left open."
