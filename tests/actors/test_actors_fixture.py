"""The safety net itself: a failing assertion in a spawned function fails the run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent


@pytest.mark.parametrize("failure", ["assert 1 == 2", "pytest.fail('no')", "raise KeyError('x')"])
def test_a_failure_inside_a_spawned_function_fails_the_test(pytester: pytest.Pytester, failure: str) -> None:
    """A test whose own code passes is failed by what went wrong in its actor."""
    for name in ("conftest.py", "actor_support.py"):
        pytester.makepyfile(**{name[:-3]: (HERE / name).read_text()})
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        test_quiet=f"""
        import asyncio, pytest
        from tablevault_ext import actors as process

        async def body():
            {failure}

        async def test_quiet():
            await process.spawn(body)
            await asyncio.sleep(0)
        """
    )
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=1, errors=1)
    outcome.stdout.fnmatch_lines(["*an actor of this test ended with*"])
