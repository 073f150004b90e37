"""Load the fixtures of tests/fix_*.py; in CI a skip is a failure."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("keywatt", deadline=None)
settings.load_profile("keywatt")

HERE = Path(__file__).parent
pytest_plugins = sorted(f"tests.{path.stem}" for path in HERE.glob("fix_*.py"))
pytest.register_assert_rewrite(*pytest_plugins)  # before one imports another


def _failed_if_skipped(report):
    expected = hasattr(report, "wasxfail")
    if os.environ.get("CI") == "true" and report.skipped and not expected:
        report.outcome = "failed"
        report.longrepr = f"In CI nothing may skip: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _failed_if_skipped((yield))
