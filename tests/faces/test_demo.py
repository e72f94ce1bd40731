"""`tablevault demo` and the quickstart notebook, as a newcomer runs them."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tablevault_ext.demo.stage import quickstart
from tablevault_ext.demo.training import make_points, train_epoch
from tablevault_ext.paths import VaultPaths

from ..support import process_named
from .conftest import Cli


def test_the_demo_tells_its_whole_story_into_a_pipe(cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "demo vault"
    done = cli("demo", "--fast", "--vault", str(home), timeout=500)
    assert done.code == 0, done.err
    for words in (
        "⏸ paused",
        "it stands still",
        "it goes on where it was",
        "stop of training#1: effective",
        "exit code 75",
        "ValueError: could not convert string to float: 'one tenth'",
        "in load_learning_rate",
        "EFFECTIVE AFTER",
        "epochs)",
        str(home),
    ):
        assert words in done.out, words
    assert "\x1b[" not in done.out
    losses = cli("--vault", str(home), "sql", "FROM records WHERE list = 'loss' ORDER BY seq", "--json").json
    first, last = (json.loads(row["record"])["loss"] for row in (losses[0], losses[-1]))
    assert first > last
    cells = cli("--vault", str(home), "sql", "SELECT status, count(*) AS n FROM cells GROUP BY 1", "--json").json
    assert {row["status"]: row["n"] for row in cells}["error"] == 1
    assert cli("--vault", str(home), "ps", "--json").json == [], "nothing stays running"


def test_the_demo_refuses_a_directory_with_something_in_it(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    done = cli("demo", "--vault", str(tmp_path / "full"))
    assert done.code == 2
    assert "is not empty" in done.err


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(quickstart(), as_version=4)


def test_the_quickstart_runs_and_ends_as_it_says(notebook: nbformat.NotebookNode, vault: VaultPaths) -> None:
    # A kernel that gets too little time for its ending is killed, and recorded as lost.
    config = Config({"KernelManager": {"shutdown_wait_time": 120.0}})
    NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3", config=config).execute()
    wrong = [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert [output.ename for output in wrong] == ["ValueError"], "the one that fails on purpose"
    assert process_named(vault, "quickstart").status == "finished"
    assert process_named(vault, "quickstart-training").status == "stopped"


def test_the_quickstart_has_no_outputs_in_git(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_model_learns() -> None:
    points, weights = make_points(500), [0.0, 0.0, 0.0]
    losses = [train_epoch(weights, points, 0.3)[0] for _ in range(30)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]
