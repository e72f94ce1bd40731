"""ps, show, logs, errors and sql: text for people, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from tablevault_ext import __version__
from tablevault_ext.cli import main
from tablevault_ext.paths import VaultPaths

from ..support import running_script, wait_for_status, wait_until
from .conftest import Cli, Done

FAILING = """
def inner():
    raise RuntimeError("no more disk")

print("before it failed")
inner()
"""


def run_failing(cli: Cli, folder: Path) -> Done:
    (folder / "failing.py").write_text(FAILING)
    return cli("run", "--name", "failing", "failing.py")


def test_every_command_has_help_with_an_example(cli: Cli) -> None:
    top = cli("--help")
    assert "Exit codes" in top.out
    for name in main.commands:
        assert f"  {name} " in top.out
        text = CliRunner().invoke(main, [name, "--help"]).output
        assert "Example" in text, name
        assert f"tablevault {name}" in text, name


def test_version(cli: Cli) -> None:
    assert cli("--version").out.split()[-1] == __version__


def test_the_console_script_is_the_same_program() -> None:
    """What pip writes into bin/: import the entry point that pyproject.toml names, and call it."""
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["tablevault"].partition(":")
    program = f"import sys; from {module} import {function}; sys.exit({function}())"
    done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True)
    assert __version__ in done.stdout


def test_a_new_vault_is_empty_and_says_what_to_do(cli: Cli) -> None:
    assert "Nothing runs" in cli("ps").out
    assert cli("ps", "--json").json == []
    assert "Nothing has been recorded" in cli("ps", "--all").out
    assert cli("errors").out == "No errors.\n"


def test_ps_and_show_tell_usage_and_the_outermost_bar(cli: Cli, tmp_path: Path, vault: VaultPaths) -> None:
    code = """
        import time
        from tablevault_ext import Vault
        vault = Vault(process_name="nested")
        for epoch in vault.track(range(50_000), desc="epoch"):
            for batch in vault.track(range(10), desc="batch"):
                time.sleep(0.02)
    """
    with running_script(tmp_path, code):
        wait_for_status(vault, "nested", "running")

        def seen() -> Any:
            found = cli("ps", "--json").json[0]["vitals"]
            return found if found and found["cpu"] is not None and found["done"] else None

        vitals = wait_until(seen, "samples and a step", 120)
        assert (vitals["desc"], vitals["total"]) == ("epoch", 50_000)
        assert vitals["rss"] > 2**20 and vitals["cpu"] >= 0 and vitals["eta"] > 0
        assert re.search(r"MiB +epoch \d+/50,?000 \(\d+%\), ETA ", cli("ps").out)
        told = cli("show", "nested").out
        assert re.search(r"progress +epoch \d+/50,?000", told) and re.search(r"uses +\d+% of a core, [\d.]+ MiB", told)
        assert cli("pause", "nested", "--wait", "60").code == 0
        vitals = cli("ps", "--json").json[0]["vitals"]
        assert vitals["done"] and vitals["eta"] is None, "nobody knows when somebody will resume it"
    assert cli("show", "nested", "--json").json["vitals"] is None


def test_ps_shows_the_living_and_with_all_the_others(cli: Cli, loop: Any, tmp_path: Path) -> None:
    run_failing(cli, tmp_path)
    living = cli("ps", "--json").json
    assert [(p["name"], p["status"], p["kind"]) for p in living] == [("train", "running", "script")]
    assert "🟢 running" in cli("ps").out
    every = cli("ps", "--all", "--json").json
    assert {p["name"]: p["status"] for p in every} == {"train": "running", "failing": "failed"}
    assert "❌ failed" in cli("ps", "--all").out
    assert cli("ps", "--kind", "notebook", "--json").json == []


def test_watch_goes_on_until_it_is_interrupted(loop: Any, vault: VaultPaths) -> None:
    command = [sys.executable, "-u", "-m", "tablevault_ext.cli", "ps", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        seen = 0
        for line in child.stdout:
            seen += "train" in line
            if seen == 2:
                break
        child.send_signal(2)
        assert child.wait(90) == 0


def test_show_has_facts_cells_requests_and_children(cli: Cli, loop: Any, tmp_path: Path) -> None:
    cli("pause", "train", "--wait", "60", "--reason", "lunch")
    text = cli("show", "train").out
    for words in ("⏸ paused", "lunch", "✅ effective", "cell", "script.py"):
        assert words in text
    data = cli("show", "train", "--json").json
    assert data["requests"][0]["outcome"] == "effective"
    assert data["requests"][0]["effect_latency"] > 0
    assert "checkpoint_execution" in data["cells"][0]["code"]
    assert data["children"] == []


def test_errors_come_with_their_tracebacks(cli: Cli, tmp_path: Path) -> None:
    assert run_failing(cli, tmp_path).code == 1
    text = cli("errors", "failing").out
    assert "RuntimeError: no more disk" in text
    assert "in inner" in text
    assert cli("errors", "--json").json[0]["error_type"] == "RuntimeError"


def test_logs_have_what_was_printed_and_follow_to_the_end(cli: Cli, tmp_path: Path) -> None:
    run_failing(cli, tmp_path)
    assert "before it failed" in cli("logs", "failing").out
    assert "no more disk" not in cli("logs", "failing", "--stdout").out
    assert "no more disk" in cli("logs", "failing", "--stderr").out
    followed = cli("logs", "-f", "failing")
    assert followed.code == 0
    assert "before it failed" in followed.out
    lines = [json.loads(line) for line in cli("logs", "failing", "--json").out.splitlines()]
    assert {"stdout", "stderr", "system"} >= {line["stream"] for line in lines}


def test_following_shows_lines_as_they_come_and_the_requests_between(
    cli: Cli, tmp_path: Path, vault: VaultPaths
) -> None:
    (tmp_path / "chatty.py").write_text(
        "import time\nfrom tablevault_ext import Vault\nvault = Vault()\nfor n in range(10**6):\n"
        "    print('line', n)\n    vault.checkpoint_execution()\n    time.sleep(0.02)\n"
    )
    program = [sys.executable, "-m", "tablevault_ext.cli"]
    child = subprocess.Popen([*program, "run", "chatty.py"], stdout=subprocess.DEVNULL, cwd=tmp_path)
    wait_until(lambda: "line 3" in cli("logs", "chatty.py", "--stdout").out if started(vault) else False, "output", 120)
    with subprocess.Popen([*program, "logs", "-f", "chatty.py"], stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert "line" in follower.stdout.readline()
        assert cli("stop", "chatty.py", "--reason", "enough", "--wait", "60").code == 0
        rest = follower.stdout.read()
        assert follower.wait(90) == 0
    assert child.wait(90) == 75
    numbers = [int(line.split()[1]) for line in rest.splitlines() if line.startswith("line ")]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "no line twice, none missing"
    assert "stop asked by" in rest
    assert "enough" in rest


def started(vault: VaultPaths) -> bool:
    return any(vault.names.glob("*.ndjson"))


def test_sql_as_table_json_csv_and_from_stdin(cli: Cli, tmp_path: Path) -> None:
    run_failing(cli, tmp_path)
    query = "SELECT name, status, NULL AS nothing, 'NaN'::DOUBLE AS nan, 'a,\"b' AS odd, started_at FROM processes"
    row = cli("sql", query, "--json").json[0]
    assert (row["name"], row["nothing"], row["nan"], row["odd"]) == ("failing", None, None, 'a,"b')
    parsed = list(csv.DictReader(io.StringIO(cli("sql", query, "--csv").out)))
    assert (parsed[0]["name"], parsed[0]["odd"]) == ("failing", 'a,"b')
    assert cli("sql", "-", "--json", stdin="SELECT 1 AS one").json == [{"one": 1}]
    assert cli("sql", "SELECT 1 WHERE false").out == "No rows.\n"


def test_sql_mistakes_say_where(cli: Cli) -> None:
    for query in ("SELEC 1", "SELECT nonsense FROM cells"):
        done = cli("sql", query)
        assert done.code == 2, query
        assert done.err.startswith("tablevault: "), query
    assert cli("sql", stdin="").code == 2


def test_the_vault_option_stands_before_or_after_the_command(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert cli("--vault", str(other), "run", "true").code == 0
    assert len(cli("ps", "--all", "--json", "--vault", str(other)).json) == 1
    assert len(cli("--vault", str(other), "ps", "--all", "--json").json) == 1
    assert cli("ps", "--all", "--json").json == []
    missing = cli("ps", "--vault", str(tmp_path / "typo"))
    assert missing.code == 1
    assert "there is no vault at" in missing.err
    file = tmp_path / "file"
    file.write_text("")
    assert "is a file, not a vault" in cli("ps", "--vault", str(file)).err


def test_hostile_names_do_no_harm(cli: Cli) -> None:
    name = "x'; DROP TABLE cells; -- \x1b[2J\n🙂 [red]"
    assert cli("run", "--name", name, "true").code == 0
    assert cli("ps", "--all", "--json").json[0]["name"] == name
    assert "\x1b" not in cli("ps", "--all").out
    assert cli("show", name, "--json").json["status"] == "finished"
    assert "\x1b" not in cli("show", name).out


def test_what_was_lost_or_failed_is_explained(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "die.py").write_text("import os\nprint('last words')\nos.kill(os.getpid(), 9)\n")
    assert cli("run", "die.py").code == 137
    text = cli("show", "die.py").out
    assert "ended by SIGKILL" in text
    assert "last words" in text
    assert text.index("Observed:") < text.index("Inferred (not observed):")
    assert "SIGKILL" in " ".join(cli("show", "die.py", "--json").json["post_mortem"]["facts"])
