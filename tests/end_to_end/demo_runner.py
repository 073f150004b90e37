"""Run the demo as a person does, in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

READY_WITHIN_S = 180.0


class Demo:
    """A running demo."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        plain = {n: v for n, v in os.environ.items() if not n.startswith("KEYWATT_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keywatt", "demo", "--state", folder, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=plain,
        )
        self.folder = folder
        self.said = ""
        self.family: list[psutil.Process] = []

    def until_ready(self) -> None:
        """Read on until it says so, then remember its processes."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while "Stop  " not in self.said:
            line = self.process.stderr.readline()
            assert line, f"it ended before it was ready: {self.said}"
            assert time.monotonic() < deadline_s
            self.said += line
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, last line of output, last line of errors."""
        out, err = self.process.communicate(timeout=60)
        self.said += err
        return (
            self.process.returncode,
            out.strip().split("\n")[-1],
            self.said.strip().split("\n")[-1],
        )

    def part(self, words: str) -> psutil.Process:
        """Find a child by words of its command line."""
        return next(p for p in self.family if words in " ".join(p.cmdline()))


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Demo]:
    """Run a demo until it is ready; whatever happens, leave nothing behind."""
    demo = Demo(folder, *arguments)
    try:
        demo.until_ready()
        yield demo
    finally:
        demo.process.terminate()  # it stops its parts, and only then ends
        demo.process.communicate(timeout=60)
