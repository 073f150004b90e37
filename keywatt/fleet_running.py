"""Run the fleet simulator as a service: settings, list of meters, what is watched."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keywatt.commands.common import announce_ready
from keywatt.commands.services import broker_of
from keywatt.running import migrated, run_until_stopped
from keywatt.settings import Settings
from meters.reading import utc_us
from simulators.meter_fleet.fault_request import (
    FaultRequest,
    FleetFaultError,
    parse_fleet_fault,
    seconds,
)
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger_file import read_ledger
from simulators.meter_fleet.meter_list import fleet_site, write_meter_list
from simulators.meter_fleet.modbus_frames import FramingKind
from simulators.meter_fleet.mqtt_line import BrokerPlace
from simulators.meter_fleet.plan import FleetPlan, make_fleet
from simulators.meter_fleet.reckoning import SLACK_US, Reckoning, reckon
from simulators.meter_fleet.report import FleetReport, FleetRun, Progress
from simulators.meter_fleet.running import run_meter_fleet
from simulators.simulator_error import SimulatorError
from storage.database import connect
from storage.site import apply_site
from storage.stored import load_stored


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetWishes:
    """What was typed; the options of `keywatt simulate-fleet`."""

    mqtt: int
    modbus: int
    every: str
    lasts: str | None
    faults: tuple[str, ...]
    meters: Path | None
    register: bool
    ledger: Path | None
    host: str
    base_port: int
    units: int
    framing: str
    reached_at: str | None
    lines: int
    batch: int
    restart_broker: str | None
    since: str | None
    prefix: str
    seed: int

    @property
    def every_s(self) -> float:
        """Seconds between readings."""
        return seconds(self.every)

    def plan(self, start_ms: int) -> FleetPlan:
        """Return the fleet that is meant; raise SimulatorError where it cannot be."""
        if self.every_s <= 0:
            raise SimulatorError("--every must be longer than nothing.")
        if self.framing not in set(FramingKind):
            raise SimulatorError(
                f"--framing is {' or '.join(FramingKind)}, not {self.framing!r}."
            )
        return FleetPlan(
            mqtt=self.mqtt,
            modbus=self.modbus,
            start_ms=start_ms,
            installed_ms=self._installed_ms(start_ms),
            every_ms=max(1, round(self.every_s * 1000)),
            host=self.host,
            base_port=self.base_port,
            units_per_port=self.units,
            framing=FramingKind(self.framing),
            prefix=self.prefix,
            seed=self.seed,
        )

    def _installed_ms(self, start_ms: int) -> int | None:
        if self.since is None:
            return None
        try:
            since = datetime.fromisoformat(self.since)
            installed_ms = utc_us(since) // 1000
        except (ValueError, TypeError):  # TypeError: it has no zone
            installed_ms = start_ms + 1
        if installed_ms > start_ms:
            raise SimulatorError(
                f"--since {self.since!r} is no past moment with a zone: write such as "
                "2026-11-22T13:00:00Z."
            )
        return installed_ms

    def requests(self) -> tuple[FaultRequest, ...]:
        """Return the faults that are meant."""
        requests = tuple(parse_fleet_fault(text) for text in self.faults)
        restarts = any(r.fault is Fault.BROKER_RESTART for r in requests)
        if restarts and self.restart_broker is None:
            raise FleetFaultError(
                f"{Fault.BROKER_RESTART} needs --restart-broker COMMAND, such as "
                "'systemctl restart mosquitto'."
            )
        return requests


def simulate_fleet(
    settings: Settings, wishes: FleetWishes, *, is_watched: bool
) -> FleetReport:
    """Run the fleet until its time is over or it is told to stop."""
    clock = settings.site_clock()
    plan = wishes.plan(utc_us(clock.now()) // 1000)
    requests = wishes.requests()
    lasts_s = None if wishes.lasts is None else seconds(wishes.lasts)
    _enter(settings, wishes, plan, requests)
    reports: list[FleetReport] = []

    async def main(stop: asyncio.Event) -> None:
        def ready() -> None:
            announce_ready(settings)
            if lasts_s is not None:
                asyncio.get_running_loop().call_later(lasts_s, stop.set)

        watch = _watched() if is_watched else contextlib.nullcontext(_quiet)
        with watch as show:
            run = FleetRun(
                plan=plan,
                now_ms=lambda: utc_us(clock.now()) // 1000,
                broker=_place(settings) if plan.mqtt else None,
                faults=requests,
                ledger=wishes.ledger,
                lines=wishes.lines,
                batch=wishes.batch,
                restart_broker=wishes.restart_broker,
                on_ready=ready,
                on_tick=show,
            )
            reports.append(await run_meter_fleet(run, stop))

    run_until_stopped(main)
    return reports[0]


def check_fleet(settings: Settings, ledger: Path, *, any_clock: bool) -> Reckoning:
    """Hold a fleet's ledger against the database."""
    given = read_ledger(ledger)
    with connect(settings.database()) as conn:
        stored = load_stored(conn, given.serials)
    return reckon(given, stored, slack_us=None if any_clock else SLACK_US)


def _enter(
    settings: Settings,
    wishes: FleetWishes,
    plan: FleetPlan,
    requests: Sequence[FaultRequest],
) -> None:
    """Write the list of meters, and enter them where that is wanted."""
    fleet = make_fleet(plan, requests)  # a victim that is not there is said now
    every_s, reached_at = wishes.every_s, wishes.reached_at
    if wishes.meters is not None:
        write_meter_list(fleet, wishes.meters, every_s=every_s, reached_at=reached_at)
    if wishes.register:
        site = fleet_site(fleet, every_s=every_s, reached_at=reached_at)
        with connect(migrated(settings)) as conn:
            apply_site(conn, site, settings.site_clock().now())


def _place(settings: Settings) -> BrokerPlace:
    address = broker_of(settings)
    return BrokerPlace(
        host=address.host,
        port=address.port,
        username=address.username,
        password=address.password,
        tls=address.tls.context() if address.tls else None,
    )


def _quiet(_: Progress) -> None:
    """Show nothing."""


@contextmanager
def _watched() -> Iterator[Callable[[Progress], None]]:
    """Show what is given while the block lasts, on standard error."""
    from rich.console import Console  # noqa: PLC0415  only for people
    from rich.progress import Progress as Bars  # noqa: PLC0415
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), refresh_per_second=2) as bars:
        task = bars.add_task("waiting for the broker", total=None)

        def show(progress: Progress) -> None:
            bars.update(
                task,
                description=f"{progress.published:,} messages published, "
                f"{progress.unconfirmed:,} not confirmed; "
                f"{progress.asked:,} Modbus requests",
            )

        yield show
