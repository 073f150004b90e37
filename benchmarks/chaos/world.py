"""A whole site of real processes on loopback, to be broken and looked after.

Database, broker and collectors run on from one scenario to the next; the fleet of
meters is the same in each, with registers that go on. So every check is of all that was
given since the beginning.
"""

import itertools
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from benchmarks.chaos.ground import forget_session, free_ports
from benchmarks.chaos.line import CuttableLine
from benchmarks.chaos.programs import Program
from benchmarks.chaos.servers import (
    broker_program,
    postgres_program,
    write_broker_config,
)
from benchmarks.chaos.small_disk import Disk, LimitedProcess, tiny_file_system
from benchmarks.chaos.verdict import Verdict, in_doubt, judge
from keywatt.embedded import EmbeddedPostgres
from keywatt.settings import SETTING_NAMES, variable
from meters.reading import from_utc_us
from simulators.meter_fleet.ledger_file import GivenTable, read_ledger
from simulators.meter_fleet.meter_list import fleet_site
from simulators.meter_fleet.plan import FleetPlan, make_fleet
from storage.database import connect
from storage.migrate import migrate
from storage.site import apply_site

COLLECTOR = "collector"
_DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large a site is."""

    mqtt: int = 200
    modbus: int = 40
    every_s: float = 1.0
    seed: int = 0


class World:
    """The site; a context manager."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self.size = folder, size
        self.is_clock_believed = True
        """Whether stamps of collectors can be held against the meters' time."""
        self._stack = ExitStack()
        self._given: list[GivenTable] = []
        self._breaches = 0
        self._runs = itertools.count(1)
        self._names: tuple[str, ...] = ()
        self._saves_always = False
        self._share: Mapping[str, str] = {}
        self._unsaved_us: list[tuple[int, int]] = []
        self._collector_kills = 0
        self.collectors: dict[str, Program] = {}

    def __enter__(self) -> Self:
        """Start everything but the meters."""
        (self.folder / "logs").mkdir(parents=True)
        self.folder.chmod(0o711)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        server = EmbeddedPostgres(self.folder / "postgres")
        server.prepare()
        self.database_url = server.url
        logs = self.folder / "logs"
        self.postgres = postgres_program(server, logs)
        [self.broker_port] = free_ports(1)
        self.broker = broker_program(self.folder / "broker", self.broker_port, logs)
        for program in (self.postgres, self.broker):
            program.start()
            self._stack.callback(program.kill)
        for program in (self.postgres, self.broker):
            program.await_ready()
        self.line = self._stack.enter_context(CuttableLine(self.database_url))
        self.ports = free_ports(1 + self.size.modbus // _UNITS_PER_PORT)
        self._enter_meters()
        self.collectors_are((COLLECTOR,))

    def __exit__(self, *_: object) -> None:
        """Kill what still runs."""
        for collector in self.collectors.values():
            collector.kill()
        self._stack.close()

    # -- what scenarios do

    def collectors_are(self, names: Sequence[str]) -> None:
        """Have collectors of these names; several share the messages.

        Only while no meters run: the broker forgets the sessions of those before, and
        what it keeps for them.
        """
        if tuple(self.collectors) == tuple(names):
            return
        former = self._stop_collectors()
        for name in former:
            forget_session(self.broker_port, name)
        self._share = {"broker_share": "chaos"} if len(names) > 1 else {}
        self._names = tuple(names)
        self.restart_collectors({})

    def broker_saves(self, *, always: bool) -> None:
        """Have the broker save at every change, without which it survives no kill.

        It is slow then, and so late to take acknowledgements that those which come too
        early do no harm.
        """
        if always != self._saves_always:
            self.broker.stop()
            self._saves_always = always
            write_broker_config(
                self.folder / "broker", self.broker_port, saves_always=always
            )
            self.heal()

    def kill_broker(self) -> None:
        """Kill it, and see when it had saved what it confirmed."""
        self.broker.kill()
        saved = self.folder / "broker" / "mosquitto.db"
        saved_us = saved.stat().st_mtime_ns // 1000 if saved.exists() else 0
        self._unsaved_us.append((saved_us, self.broker.killed_us[-1]))

    def restart_collectors(self, settings: Mapping[str, str]) -> None:
        """Start the same collectors anew, with settings beside their own."""
        self._stop_collectors()
        self.collectors = {
            name: self._collector(name, {**self._share, **settings})
            for name in self._names
        }
        for collector in self.collectors.values():
            collector.start()
        for collector in self.collectors.values():
            collector.await_ready()

    def one_collector(self, chance: random.Random) -> Program:
        """Choose one of the collectors."""
        return chance.choice(list(self.collectors.values()))

    def _stop_collectors(self) -> list[str]:
        for collector in self.collectors.values():
            collector.stop()
            self._collector_kills += len(collector.killed_us)
            collector.killed_us.clear()
        return list(self.collectors)

    @property
    def collector_kills(self) -> int:
        """How often collectors were killed."""
        running = (len(c.killed_us) for c in self.collectors.values())
        return self._collector_kills + sum(running)

    def heal(self) -> None:
        """Bring everything back and wait until it serves."""
        self.line.up()
        for program in (self.postgres, self.broker, *self.collectors.values()):
            program.start()
        for program in (self.postgres, self.broker, *self.collectors.values()):
            program.await_ready()

    @contextmanager
    def meters(self, *, modbus: bool = True) -> Iterator[Program]:
        """Run the fleet while the block lasts; then its ledger is on ours."""
        run = next(self._runs)
        ledger = self.folder / f"given-{run:03d}.parquet"
        fleet = self._fleet(run, ledger, modbus=modbus)
        fleet.start()
        try:
            fleet.await_ready()
            yield fleet
            self.heal()
            code = fleet.stop()
        finally:
            fleet.kill()
        if code:
            raise RuntimeError(f"The meters ended with {code}: {fleet.last_words()}")
        self._given.append(read_ledger(ledger))

    @property
    def given(self) -> GivenTable:
        """All that meters gave since the beginning."""
        joined = GivenTable.joined(self._given)
        return in_doubt(joined, self._unsaved_us)

    def verdict(self, *, within_s: float = 60.0) -> Verdict:
        """Wait until all that was given is stored, or nothing more happens; judge."""
        given = self.given
        deadline_s, before, quiet_since_s = time.monotonic() + within_s, -1, 0.0
        while True:
            found = judge(
                self.database_url,
                given,
                is_clock_believed=self.is_clock_believed,
                before=self._breaches,
            )
            if found.stored != before:
                before, quiet_since_s = found.stored, time.monotonic()
            now_s = time.monotonic()
            # What holds at once may still be spoilt by what comes late.
            quiet_s = _QUIET_S if found.holds else _PATIENCE_S
            if now_s - quiet_since_s > quiet_s or now_s > deadline_s:
                self._breaches = found.breaches
                return found
            time.sleep(0.1)

    @contextmanager
    def small_journal(self) -> Iterator[Disk]:
        """Have the collector keep its journal on a disk of its own that can be full."""
        folder = self.folder / "small-disk"
        with tiny_file_system(folder, 8) as tiny:
            # Two cannot share it: the first alone has it, the others pause.
            self._stop_collectors()
            first = self._names[0]
            small = {"journal_dir": str(folder)}
            self.collectors = {first: self._collector(first, {**self._share, **small})}
            self.heal()
            yield tiny or LimitedProcess(self.collectors[first].pid)
            self.restart_collectors({})

    # -- its parts

    def _collector(self, name: str, settings: Mapping[str, str]) -> Program:
        folder = self.folder / name
        (folder / "journal").mkdir(parents=True, exist_ok=True)
        given = {"database_url": self.line.url, "collector_name": name}
        if name != self._names[0]:  # of those that share, one asks the meters
            given["collector_polls"] = "false"
        if "journal_dir" in SETTING_NAMES and "journal_dir" not in settings:
            given["journal_dir"] = str(folder / "journal")
        return self._keywatt(name, ["collect"], folder, given | dict(settings))

    def _fleet(self, run: int, ledger: Path, *, modbus: bool) -> Program:
        size, folder = self.size, self.folder / "meters"
        folder.mkdir(exist_ok=True)
        arguments = [
            *("simulate-fleet", "--json", "--ledger", str(ledger)),
            *("--mqtt", str(size.mqtt), "--modbus", str(size.modbus * modbus)),
            *("--every", f"{size.every_s}s", "--seed", str(size.seed)),
            *("--base-port", str(self.ports[0]), "--units", str(_UNITS_PER_PORT)),
            *("--since", from_utc_us(self.installed_ms * 1000).isoformat()),
        ]
        return self._keywatt(f"meters-{run:03d}", arguments, folder, {})

    def _keywatt(
        self, name: str, arguments: list[str], folder: Path, given: Mapping[str, str]
    ) -> Program:
        ready_file = folder / f"{name}.ready"
        settings = {
            "broker_port": str(self.broker_port),
            "ready_file": str(ready_file),
            "state_dir": str(folder),
            **given,
        }
        return Program(
            name=name,
            command=[sys.executable, "-m", "keywatt", *arguments],
            is_ready=ready_file.exists,
            logs=self.folder / "logs",
            environment={variable(key): value for key, value in settings.items()},
            folder=folder,
            ready_file=ready_file,
        )

    def _enter_meters(self) -> None:
        """Enter the fleet, as if it had been there since yesterday."""
        now = datetime.now(UTC)
        self.installed_ms = round(now.timestamp() * 1000) - _DAY_MS
        plan = FleetPlan(
            mqtt=self.size.mqtt,
            modbus=self.size.modbus,
            start_ms=self.installed_ms + _DAY_MS,
            installed_ms=self.installed_ms,
            base_port=self.ports[0],
            units_per_port=_UNITS_PER_PORT,
            seed=self.size.seed,
        )
        with connect(self.database_url) as conn:
            migrate(conn)
            site = fleet_site(make_fleet(plan), every_s=self.size.every_s)
            apply_site(conn, site, now)


_UNITS_PER_PORT = 10
_QUIET_S, _PATIENCE_S = 1.0, 15.0
"""So long nothing more is stored: then it is over, or given up."""
