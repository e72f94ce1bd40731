"""CI runs what the README tells a newcomer to run."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ci_runs_the_one_test_command_of_the_readme() -> None:
    """`.ci/run` ends with the README's line, so that neither can drift from the other."""
    command = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert command in (ROOT / "README.md").read_text().splitlines()
