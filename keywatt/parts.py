"""Child processes that stand and fall together.

Each part writes to a log file of its own, is awaited until it is ready, and dies with
this process, however this process ends (leash.py).

    RuntimeError
        PartError   a part ended or was not ready in time; one sentence, its last word
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_LEASH = Path(__file__).with_name("leash.py")
_LOOK_AGAIN_S = 0.02
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 15.0
_TAIL = 4096
"""Bytes of a log in which the last line is looked for."""


class PartError(RuntimeError):
    """A part is not there when it should be; one sentence for people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One program of several that make up a running site."""

    name: str
    """For people and for its log file, such as `collector`."""
    command: Sequence[str]
    is_ready: Callable[[], bool]
    """Asked again and again until it says yes; must not raise."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of its own, beside those that all parts get."""
    user: str | None = None
    """Whom it runs as, where that is not us."""
    folder: Path | None = None
    """Where it runs, where that is not our own working directory."""
    stop_signal: signal.Signals = signal.SIGTERM


class Supervisor:
    """Starts parts, watches them and stops every one of them."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self._environment = dict(environment)
        self._running: dict[str, tuple[Part, subprocess.Popen[bytes]]] = {}

    def __enter__(self) -> Self:
        """Make the folder of the logs."""
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what still runs."""
        self.stop()

    def start(self, *parts: Part) -> None:
        """Start parts together and wait until all are ready.

        Raises
        ------
        PartError
            One of the running parts ended, or a new one was not ready in time.

        """
        self.launch(*parts)
        self.await_ready(*(part.name for part in parts))

    def launch(self, *parts: Part) -> None:
        """Start parts without waiting for them."""
        for part in parts:
            self._launch(part)

    def await_ready(self, *names: str) -> None:
        """Wait until parts are ready; raise `PartError` as `start` does."""
        for name in names:
            self._await_ready(self._running[name][0])

    def check(self) -> None:
        """Raise `PartError` if a part has ended by itself."""
        for part, process in self._running.values():
            code = process.poll()
            if code is not None:
                del self._running[part.name]
                raise PartError(self._obituary(part, code))

    def watch(
        self, *, until: Callable[[], bool], every_s: float = _LOOK_AGAIN_S
    ) -> None:
        """Return once the condition holds; raise `PartError` if a part ends before."""
        while not until():
            self.check()
            time.sleep(every_s)

    def stop(self, names: Iterable[str] | None = None) -> None:
        """Stop some parts, or all, the last started first; wait until they are gone."""
        for name in [*(names if names is not None else reversed(self._running))]:
            part, process = self._running[name]
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(part.stop_signal)
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            del self._running[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Parts that were started and not yet stopped, in that order."""
        return tuple(self._running)

    def log_of(self, name: str) -> Path:
        """Where a part's output goes."""
        return self.logs / f"{name}.log"

    def _launch(self, part: Part) -> None:
        leash = [sys.executable, "-S", "-E", str(_LEASH)]
        whose = [str(os.getpid()), str(int(part.stop_signal)), part.user or "-"]
        with self.log_of(part.name).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  commands are our own
                [*leash, *whose, *part.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._environment, **part.environment},
                cwd=part.folder,
                # Ctrl-C is for the supervisor, which stops its parts in order.
                start_new_session=True,
            )
        self._running[part.name] = (part, process)

    def _await_ready(self, part: Part) -> None:
        deadline_s = time.monotonic() + _READY_WITHIN_S

        def ready_or_late() -> bool:
            return part.is_ready() or time.monotonic() > deadline_s

        self.watch(until=ready_or_late)
        if not part.is_ready():
            raise PartError(
                f"The {part.name} was not ready within {_READY_WITHIN_S:.0f} s: "
                f"{self._last_line(part.name)}; its log is {self.log_of(part.name)}."
            )

    def _obituary(self, part: Part, code: int) -> str:
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return (
            f"The {part.name} ended ({how}): {self._last_line(part.name)}; "
            f"its log is {self.log_of(part.name)}."
        )

    def _last_line(self, name: str) -> str:
        with self.log_of(name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            lines = log.read().decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1].rstrip(".") if said else "it said nothing"
