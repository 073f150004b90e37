"""Processes that are killed and started again: with SIGKILL, and all their children.

Errors: `RuntimeError` where one is not ready in time, with the last line of its log.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

import keywatt.leash

_LEASH = Path(keywatt.leash.__file__)
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0
LOOK_EVERY_S = 0.02


@dataclass(kw_only=True)
class Program:
    """One program; it dies with us too."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool]
    logs: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    ready_file: Path | None = None
    """Removed at each start: the program makes it."""
    killed_us: list[int] = field(default_factory=list)
    """When it was killed, in microseconds since 1970 UTC."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of its present life."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started.")
        return self._process.pid

    @property
    def log(self) -> Path:
        """Where its output goes, of all its lives."""
        return self.logs / f"{self.name}.log"

    def start(self) -> None:
        """Start it, if it does not run."""
        if self.runs:
            return
        if self.ready_file is not None:
            self.ready_file.unlink(missing_ok=True)
        leash = [sys.executable, "-S", "-E", str(_LEASH)]
        whose = [str(os.getpid()), str(int(signal.SIGKILL)), self.user or "-"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, *whose, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                start_new_session=True,
            )

    def await_ready(self) -> None:
        """Wait until it serves; start it again where it ended, as a service manager."""
        deadline_s = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready():
            if not self.runs:
                time.sleep(LOOK_EVERY_S)
                self.start()
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{self.name} is not ready: {self.last_words()}")
            time.sleep(LOOK_EVERY_S)

    def kill(self) -> None:
        """End it and all its children at once, without a chance to do anything."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        self.killed_us.append(time.time_ns() // 1000)
        with contextlib.suppress(psutil.NoSuchProcess):
            whole = psutil.Process(process.pid)
            # Stopped first: what is killed one after another would start new ones.
            for each in (whole, *whole.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.suspend()
            for each in (*whole.children(recursive=True), whole):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        process.wait()

    def stop(self) -> int:
        """Let it end in order; return its exit code."""
        process = self._process
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.stop_signal)
        try:
            return process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(
                f"{self.name} did not stop: {self.last_words()}"
            ) from None

    def last_words(self) -> str:
        """Return the last line it wrote."""
        if not self.log.exists():
            return "it said nothing"
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
