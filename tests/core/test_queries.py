"""The façade's questions: processes, operations, cleanup, records, descriptions, SQL."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tablevault_ext.control.cleanup import close_operations
from tablevault_ext.errors import UnknownProcess
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.operations import current_operations
from tests.support import Kernel, process_named, run_script, running_script, wait_for_status, wait_until


def ask_vault(tmp_path: Path, code: str) -> object:
    """Run façade code in a script of its own and give back what it puts into `answer`, through JSON."""
    script = f"import json\nfrom tablevault_ext import Vault\nvault = Vault(process_name='asker')\n{code}\n"
    done = run_script(tmp_path, script + "print(json.dumps(answer, default=str))", name="asker.py")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_finished_cell_reaches_a_plain_duckdb_client(vault: VaultPaths, kernel: Kernel) -> None:
    """No server runs; the ingester that the recording started does the work."""
    kernel.run("41 + 1  # look for me")

    def seen() -> list:
        try:
            with duckdb.connect(str(vault.database), read_only=True) as connection:
                return connection.execute(
                    "SELECT status, duration FROM cells WHERE contains(code, 'look for me') AND status = 'ok'"
                ).fetchall()
        except duckdb.Error:
            return []

    ((status, duration),) = wait_until(seen, "the cell is in the file", 90)
    assert status == "ok"
    assert duration > 0


def test_query_process_list_combines_all_its_conditions(vault: VaultPaths, tmp_path: Path) -> None:
    """By code, parent's code, description, embedding, filter; ANDed; nothing found is an empty list."""
    child = (
        "from tablevault_ext import Vault\n"
        "Vault(process_name='exp_{0}', description='training pipeline {0}')\n'model.fit {0}'"
    )
    for number in (1, 2):
        (tmp_path / f"child{number}.py").write_text(child.format(number))
    parent = """
        import subprocess, sys
        from tablevault_ext import Vault
        vault = Vault(process_name="search")
        for number in (1, 2):  # hyperparameter_search
            subprocess.run([sys.executable, f"child{number}.py"], check=True)
        vault.create_description("exp_1", "the good one", embedding=[1.0, 0.0])
        vault.create_description("exp_2", "the other", embedding=[0.6, 0.8])
    """
    assert run_script(tmp_path, parent).returncode == 0
    answers = ask_vault(
        tmp_path,
        """
def names(**conditions): return [p.name for p in vault.query_process_list(**conditions)]
exp_1 = vault.get_process("exp_1")
fit = "model." + "fit"  # this script's own code must not hold the text
answer = dict(
    code=sorted(names(code_text=fit)),
    parent=sorted(names(parent_code_text="hyperparameter_search")),
    described=names(description_text="good one"),
    own_description=sorted(names(description_text="training pipeline")),
    nearest=names(description_embedding=[1.0, 0.1]),
    filtered=names(code_text=fit, filtered=["exp_2", "search"]),
    by_object=names(filtered=[exp_1]),
    combined=names(code_text=fit + " 1", parent_code_text="hyper", description_text="good", filtered=["exp_1#1"]),
    nothing=names(code_text="'; DROP " + "TABLE cells; --"),
)
""",
    )
    assert answers == {
        "code": ["exp_1", "exp_2"],
        "parent": ["exp_1", "exp_2"],
        "described": ["exp_1"],
        "own_description": ["exp_1", "exp_2"],
        "nearest": ["exp_1", "exp_2"],
        "filtered": ["exp_2"],
        "by_object": ["exp_1"],
        "combined": ["exp_1"],
        "nothing": [],
    }


def test_records_of_every_kind_are_rows(vault: VaultPaths, tmp_path: Path) -> None:
    """Dicts, lists, scalars, arrays and frames; NaN survives; what no rule fits is refused and nothing appended."""
    rows = ask_vault(
        tmp_path,
        """
import numpy, pandas
from tablevault_ext import BadRecord
vault.create_record_list("mixed", ["a", "b"])
for record in ({"a": 1, "b": float("nan")}, [1, 2], 3.5, numpy.float32(0.5), numpy.arange(3), "text", None,
               pandas.DataFrame({"a": [1, 2]}), numpy.datetime64("2026-01-02T03:04:05")):
    vault.append_record("mixed", record)
try:
    vault.append_record("mixed", {"bad": object()})
except BadRecord as error:
    refusal = str(error)
answer = [refusal] + vault.sql("SELECT record FROM records WHERE list = 'mixed' ORDER BY seq").fetchall()
""",
    )
    assert "builtins.object" in rows[0]
    assert "Nothing was appended" in rows[0]
    assert [json.loads(row[0]) for row in rows[1:]] == [
        {"a": 1, "b": "NaN"},
        [1, 2],
        3.5,
        0.5,
        [0, 1, 2],
        "text",
        None,
        [{"a": 1}, {"a": 2}],
        "2026-01-02T03:04:05",
    ]


def test_operations_are_what_goes_on_and_cleanup_closes_only_what_is_gone(vault: VaultPaths, tmp_path: Path) -> None:
    """A living script's stays whatever its age; a killed one's is closed, listed and not shown again."""
    waiting = (
        "import time\nfrom tablevault_ext import Vault\n"
        "Vault(process_name={0!r})\nprint('up', flush=True)\ntime.sleep(600)"
    )
    with running_script(tmp_path, waiting.format("living"), name="a.py") as living:
        living.stdout.readline()
        with running_script(tmp_path, waiting.format("killed"), name="b.py") as killed:
            killed.stdout.readline()
            os.kill(killed.pid, signal.SIGKILL)
            killed.wait()
        wait_for_status(vault, "killed", "lost")
        operations = {o.process_name: o for o in current_operations(vault)}
        assert set(operations) == {"living#1", "killed#1"}
        assert operations["killed#1"].gone
        assert all(isinstance(o.timestamp, int) for o in operations.values())
        assert "script of living#1" in str(current_operations(vault))
        assert close_operations(vault, 3600, None) == [], "too young"
        unknown = [1234567890, datetime(2020, 1, 1, tzinfo=UTC), operations["living#1"].timestamp]
        assert close_operations(vault, 0, unknown) == []
        closed = close_operations(vault, 0, [operations["killed#1"].timestamp])
        assert [o.process_name for o in closed] == ["killed#1"]
        assert [o.process_name for o in current_operations(vault)] == ["living#1"]
        assert process_named(vault, "killed").status == "lost"
        assert process_named(vault, "living").status == "running"


def test_get_process_and_list_processes(vault: VaultPaths, tmp_path: Path) -> None:
    """Every run stays addressable; the list shows the living unless asked for all."""
    for _ in range(2):
        run_script(tmp_path, "from tablevault_ext import Vault; Vault(process_name='again')")
    answer = ask_vault(
        tmp_path,
        """
answer = dict(
    newest=vault.get_process("again").run,
    first=vault.get_process("again", run=1).address,
    living=[p.name for p in vault.list_processes()],
    all=sorted(p.address for p in vault.list_processes(all=True)),
)
""",
    )
    assert answer == {"newest": 2, "first": "again#1", "living": ["asker"], "all": ["again#1", "again#2", "asker#1"]}
    from tablevault_ext.journal.names import resolve

    with pytest.raises(UnknownProcess, match="did you mean 'again'"):
        resolve(vault, "agian")


def test_sql_is_a_relation_over_a_snapshot_and_leaves_the_file_alone(vault: VaultPaths, tmp_path: Path) -> None:
    """Parameters are bound; the vault cannot be changed through it; nobody is blocked afterwards."""
    answer = ask_vault(
        tmp_path,
        """
import duckdb
relation = vault.sql("SELECT name FROM processes WHERE name = ?", ["asker"])
import time
for _ in range(600):  # the ingester may be at it for a moment
    try:
        duckdb.connect(vault.path + "/vault.duckdb").close()
        break
    except duckdb.IOException:
        time.sleep(0.05)
else:
    raise SystemExit("it stays blocked")
try:
    vault.sql("DROP TABLE cells")
    dropped = "dropped"
except Exception as error:
    dropped = type(error).__name__
count = vault.sql("SELECT count(*) FROM cells").fetchone()[0]
answer = [relation.fetchall(), list(relation.df()["name"]), dropped, count]
""",
    )
    assert answer == [[["asker"]], ["asker"], answer[2], 1]
    assert answer[2] != "dropped"


def test_track_counts_progress_and_stops_at_its_steps(vault: VaultPaths, tmp_path: Path) -> None:
    """Progress, rate and total are rows; tqdm bars of the user's own are picked up, imported before or after."""
    rows = ask_vault(
        tmp_path,
        """
from tqdm import tqdm
import io
assert sum(vault.track(range(10), desc="steps")) == 45
for _ in tqdm(range(7), desc="bar", file=io.StringIO()): pass
vault.progress(3, 4, "own")
answer = vault.sql('SELECT "desc", max(done), max(total) FROM progress GROUP BY 1 ORDER BY 1').fetchall()
""",
    )
    assert rows == [["bar", 7.0, 7.0], ["own", 3.0, 4.0], ["steps", 10.0, 10.0]]
