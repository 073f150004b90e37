"""No part waits at its start for a library that only another one needs."""

import subprocess
import sys

import pytest

EVERYWHERE = {"pandas", "scipy"}
PAGES = {"streamlit", "plotly"}
JOBS = {"procrastinate", "apprise"}
READING = {"pymodbus", "paho"}


@pytest.mark.parametrize(
    ("rooms", "not_needed"),
    [
        pytest.param("keywatt.__main__", PAGES | JOBS | READING | {"numpy"}, id="help"),
        pytest.param("keywatt.demo.run", PAGES | JOBS | READING, id="demo"),
        pytest.param("keywatt.running, collector.run", PAGES | JOBS, id="collect"),
        pytest.param("keywatt.running, keywatt.simulating", PAGES | JOBS, id="meters"),
        pytest.param("keywatt.running, keywatt.jobs", PAGES | {"pymodbus"}, id="work"),
        pytest.param("keywatt.running, keywatt.pages", JOBS | READING, id="dashboard"),
    ],
)
def test_a_part_imports_only_what_it_needs(rooms, not_needed) -> None:
    imported = subprocess.run(
        [sys.executable, "-c", f"import sys, {rooms}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert (not_needed | EVERYWHERE) & set(imported) == set()
