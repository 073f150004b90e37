"""Run the command line: in this process, or as a person does in one of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from keywatt.__main__ import main


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
