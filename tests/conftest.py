"""Load the fixtures of tests/fix_*.py; in CI a skip is a failure."""

import os
from pathlib import Path

import pytest

pytest_plugins = sorted(
    f"tests.{p.stem}" for p in Path(__file__).parent.glob("fix_*.py")
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _in_ci():
        report.outcome = "failed"
        report.longrepr = f"In CI nothing may skip: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if report.skipped and _in_ci():
        report.outcome = "failed"
        report.longrepr = f"In CI nothing may skip: {report.longrepr}"
    return report


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"
