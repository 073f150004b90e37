"""Bring a whole site up on this machine, each part once what it needs is ready."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from keywatt.clock import SiteClock
from keywatt.demo import site_parts
from keywatt.demo.history import Filled, expected, fill
from keywatt.demo.screen import Screen
from keywatt.demo.site_parts import (
    COLLECTOR,
    DASHBOARD,
    METERS,
    WORKER,
    Addresses,
    seconds_between_readings,
    service_parts,
)
from keywatt.demo.state import DemoError, State, free_port, free_range, is_free
from keywatt.demo.tally import Ledger, read_ledger
from keywatt.embedded import EmbeddedPostgres
from keywatt.lengths import in_words
from keywatt.parts import Supervisor
from meters.meter import Meter
from simulators.faults import parse_fault
from simulators.fleet import (
    KEY_ACCOUNTS,
    demo_meters,
    demo_site,
    gateway_names,
    ports_from,
)
from simulators.plant_meter import PlantMeter
from simulators.scenario import Scenario, first_scenario, load_scenario
from storage.database import connect
from storage.health import load_backlog, load_meter_health
from storage.judging import points_due
from storage.master import load_meters
from storage.migrate import migrate
from storage.site import apply_site

_SETTLE_WITHIN_S = 240.0
_LOOK_EVERY_S = 0.2
_BROKER_PORT, _MODBUS_PORT, _DASHBOARD_PORT = 18_830, 15_020, 8501
"""Taken where they are free."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a person asks of the demo."""

    folder: Path
    headless: bool = False
    for_s: float | None = None
    """How long it lives once it is ready; None = until it is stopped."""
    speed: float = 1.0
    faults: Sequence[str] = ()
    port: int | None = None
    """The dashboard's; None = a free one."""
    days: int = 60
    fresh: bool = False
    log_archive: Path | None = None
    """Absolute; where the database copies its log to, if it does."""
    on_ready: Callable[[str], None] = lambda _url: None
    """Told the dashboard's address once pages can be opened."""


@dataclass(kw_only=True, slots=True)
class Site:
    """A site as it comes up."""

    wishes: Wishes
    state: State
    parts: Supervisor
    screen: Screen
    addresses: Addresses
    database_url: str
    clock: SiteClock
    meters: Sequence[Meter]
    simulated: dict[str, PlantMeter]
    """By serial."""
    before: Ledger
    """What had arrived before this start."""
    filled: Filled = field(default_factory=Filled)


def check_wishes(wishes: Wishes) -> None:
    """Raise `FaultError` now rather than when half of the site is up."""
    for text in wishes.faults:
        parse_fault(text, KEY_ACCOUNTS, datetime.now(UTC))


def choose_addresses(wishes: Wishes) -> Addresses:
    """Find a port for everything; `DemoError` if the one asked for is taken."""
    if wishes.port is not None and not is_free(wishes.port):
        raise DemoError(
            f"Port {wishes.port} is used by another program: choose another with "
            "--port, or leave --port out to take a free one."
        )
    return Addresses(
        broker_port=free_port(_BROKER_PORT),
        modbus_port=free_range(_MODBUS_PORT, len(gateway_names())),
        dashboard_port=wishes.port or free_port(_DASHBOARD_PORT),
    )


def clear_folder(wishes: Wishes, state: State) -> None:
    """Forget the run before; where a fresh start is asked for, its data too."""
    if wishes.fresh:
        EmbeddedPostgres(state.postgres).stop_leftover()
        state.forget()
    state.clear_run()


def start_site(
    wishes: Wishes,
    state: State,
    parts: Supervisor,
    screen: Screen,
    addresses: Addresses,
) -> Site:
    """Bring everything up in order; what does not depend on each other, together."""
    postgres = EmbeddedPostgres(state.postgres, wishes.log_archive)
    screen.say("Starting the database and the broker.")
    postgres.prepare()
    parts.start(
        site_parts.postgres_part(postgres),
        site_parts.broker_part(addresses.broker_port),
    )
    site = _enter_site(
        wishes, state, parts, screen, addresses=addresses, database_url=postgres.url
    )
    services = service_parts(state, site.database_url, addresses, site.clock)
    site_parts.open_session(addresses.broker_port)
    early = [METERS] if wishes.headless else [METERS, DASHBOARD]
    parts.launch(*(services[name] for name in early))
    history_to = site.clock.now()
    _fill_history(site, history_to)
    with connect(site.database_url) as conn:
        backlog = load_backlog(conn).days
    parts.launch(services[WORKER])
    # Not before the meters: it would back off from those that do not answer yet.
    parts.await_ready(METERS)
    parts.start(services[COLLECTOR])
    _close_gap(site, history_to)
    _settle(site, backlog)
    parts.await_ready(*parts.names)
    site_parts.write_settings(
        state.settings_file, site.database_url, addresses, site.clock
    )
    return site


def _enter_site(
    wishes: Wishes,
    state: State,
    parts: Supervisor,
    screen: Screen,
    *,
    addresses: Addresses,
    database_url: str,
) -> Site:
    """Set the clock, go on with the plants' story, and enter accounts and meters."""
    with connect(database_url) as conn:
        migrate(conn)
        health = load_meter_health(conn, datetime.now(UTC))
        known = [m.newest_measured_at for m in health if m.newest_measured_at]
        # Never back behind what was measured: an earlier run may have been fast.
        now = max([datetime.now(UTC), *(at + timedelta(seconds=1) for at in known)])
        clock = SiteClock.starting(now, wishes.speed)
        scenario = _scenario(wishes, state, now)
        apply_site(
            conn,
            demo_site(
                epoch=scenario.epoch,
                host="127.0.0.1",
                ports=ports_from(addresses.modbus_port),
                poll_every_s=seconds_between_readings(wishes.speed),
            ),
            now,
        )
        meters = load_meters(conn, now)
        before = read_ledger(conn)
    simulated = demo_meters(epoch=scenario.epoch, now=clock.now, faults=scenario.faults)
    by_serial = {meter.serial: meter for meter in simulated.values()}
    return Site(
        wishes=wishes,
        state=state,
        parts=parts,
        screen=screen,
        addresses=addresses,
        database_url=database_url,
        clock=clock,
        meters=[meter for meter in meters if meter.serial in by_serial],
        simulated=by_serial,
        before=before,
    )


def _scenario(wishes: Wishes, state: State, now: datetime) -> Scenario:
    new = [parse_fault(text, KEY_ACCOUNTS, now) for text in wishes.faults]
    file = state.folder / "scenario.json"
    known = load_scenario(file)
    if known is None:
        scenario = first_scenario(now, days=wishes.days, new_faults=new)
    else:
        scenario = known.goes_on(now, new)
    scenario.save(file)
    return scenario


def _fill_history(site: Site, stop: datetime) -> None:
    """Write what the meters would have said since their newest readings."""
    with connect(site.database_url) as conn:
        health = load_meter_health(conn, stop)
    newest = {row.serial: row.newest_measured_at for row in health}
    begins = [newest[meter.serial] or meter.installed_at for meter in site.meters]
    start = min(begin for begin in begins if begin)
    total = expected(site.meters, start, stop)
    if total == 0:
        return
    text = f"Writing {in_words(stop - start)} of history, {total:,} readings"
    with site.screen.bar(text, total) as show:
        _fill(site, start, stop, show)


def _fill(
    site: Site, start: datetime, stop: datetime, show: Callable[[int], None]
) -> None:
    def on_written() -> None:
        site.parts.check()
        show(site.filled.total)

    fill(
        site.database_url,
        site.meters,
        site.simulated,
        start=start,
        stop=stop,
        filled=site.filled,
        on_written=on_written,
    )


def _close_gap(site: Site, history_to: datetime) -> None:
    """Write what passed on a fast clock from the end of history to the first poll."""
    _fill(site, history_to, site.clock.now(), lambda _: None)


def _settle(site: Site, total: int) -> None:
    """Wait until the worker has settled and judged history."""
    history_to = site.clock.now()
    deadline_s = time.monotonic() + _SETTLE_WITHIN_S
    with connect(site.database_url, autocommit=True) as conn:
        text = "Turning readings into intervals and judging them"
        with site.screen.bar(text, total) as show:

            def settled() -> bool:
                show(total - load_backlog(conn).days)
                return not points_due(conn, history_to)

            site.parts.watch(
                until=lambda: settled() or time.monotonic() > deadline_s,
                every_s=_LOOK_EVERY_S,
            )
