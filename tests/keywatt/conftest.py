"""Run the command line: in this process, or as a person does in one of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keywatt.__main__ import main

EXAMPLE_SITE = Path(__file__).parents[2] / "docs" / "handbook" / "example-site.toml"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def keywatt(tmp_path, monkeypatch, capfd):
    """Call `keywatt` with arguments; settings are given by keyword."""
    for name in os.environ:
        if name.startswith("KEYWATT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **settings: str) -> Said:
        capfd.readouterr()
        with monkeypatch.context() as given:
            given.setattr(sys, "argv", ["keywatt", *arguments])
            for name, value in settings.items():
                given.setenv(f"KEYWATT_{name.upper()}", value)
            with pytest.raises(SystemExit) as end:
                main()
        return Said(end.value.code, *capfd.readouterr())

    return call


@pytest.fixture
def keywatt_process(tmp_path):
    """Call `keywatt` in a process of its own."""

    def call(*arguments: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "keywatt", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def keywatt_started(tmp_path) -> Iterator:
    """Start `keywatt` in a process of its own and go on beside it."""
    started = []

    def start(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        given = {f"KEYWATT_{name.upper()}": value for name, value in settings.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "keywatt", *arguments],
            cwd=tmp_path,
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def example_site() -> str:
    """Path of the handbook's site file: two accounts with one meter each."""
    return str(EXAMPLE_SITE)
