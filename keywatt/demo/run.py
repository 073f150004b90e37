"""The demo from start to end: started, lived, counted, and always stopped."""

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import psycopg

from keywatt.demo import site_parts
from keywatt.demo.screen import Screen
from keywatt.demo.signals import Stopped, stopped_by_signals
from keywatt.demo.site_parts import COLLECTOR, METERS
from keywatt.demo.starting import (
    Site,
    Wishes,
    check_wishes,
    choose_addresses,
    clear_folder,
    start_site,
)
from keywatt.demo.state import DemoError, State, hold
from keywatt.demo.tally import read_counts, read_ledger, since, tally
from keywatt.parts import PartError, Supervisor
from meters.meter import Transport
from storage.alerts import load_alerts
from storage.database import DatabaseError, connect
from storage.intervals import load_intervals
from storage.master import load_points

_NEARLY_NOTHING = 32_000_000
"""Bytes; with less the disk is what failed, whoever says so."""
_DRAIN_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a demo came to, for scripts."""

    readings: dict[str, dict[str, int]]
    """By transport: what became of what the meters sent while it ran."""
    history: dict[str, dict[str, int]]
    """By transport: what was written of the time before."""
    intervals: int
    """Settled ones of all points, history included."""
    alerts: int
    """All that were ever opened."""
    duration_s: float
    """From being ready to the end."""
    version: str


def run_demo(wishes: Wishes, screen: Screen) -> Summary:
    """Run the demo until its time is over or it is stopped; return the count.

    Raises
    ------
    DemoError, EmbeddedError, PartError, SimulatorError
        It cannot start, or a part died. By then everything is stopped.

    """
    began_s = time.monotonic()
    check_wishes(wishes)
    with stopped_by_signals(), hold(wishes.folder) as state:
        addresses = choose_addresses(wishes)
        clear_folder(wishes, state)
        with Supervisor(state.logs, site_parts.caller_environment()) as parts:
            try:
                site = start_site(wishes, state, parts, screen, addresses)
                screen.say(_welcome(site, time.monotonic() - began_s))
                wishes.on_ready(addresses.dashboard_url)
                return _finish(site, _live(site))
            except (
                OSError,
                RuntimeError,
                ValueError,
                psycopg.Error,
                DatabaseError,
            ) as exc:
                raise _cause(exc, state, parts) from exc
            finally:
                state.settings_file.unlink(missing_ok=True)


def _welcome(site: Site, took_s: float) -> str:
    lines = [
        f"\nReady after {took_s:.0f} s, site time {site.clock.now():%F %H:%M} UTC."
    ]
    if not site.wishes.headless:
        lines.append(f"  Dashboard  {site.addresses.dashboard_url}")
    lines += [
        f"  Logs       {site.parts.logs}",
        f"  Ask it     keywatt --config {site.state.settings_file} doctor",
        "  Stop       Ctrl-C; the next start goes on with the data",
    ]
    return "\n".join(lines)


def _live(site: Site) -> float:
    """Watch the parts until the time is over or somebody stops us; return seconds."""
    began_s = time.monotonic()
    for_s = site.wishes.for_s

    def is_over() -> bool:
        # No part dies of it: they wait for room, which would go unnoticed here.
        if _is_full(site.state):
            raise _full_disk(site.state)
        return for_s is not None and time.monotonic() - began_s >= for_s

    try:
        site.parts.watch(until=is_over, every_s=_LOOK_EVERY_S)
    except Stopped:
        site.screen.say("\nStopping; what the meters have said is still written.")
    return time.monotonic() - began_s


def _finish(site: Site, live_s: float) -> Summary:
    """Silence the meters, let what they said arrive, and count."""
    site.parts.stop([METERS])
    sent = read_counts(site.state.counts_file(METERS))
    _await_messages(site, sent[Transport.MQTT])
    site.parts.stop([COLLECTOR])  # it writes what it has read
    fruitless = read_counts(site.state.counts_file(COLLECTOR))
    with connect(site.database_url) as conn:
        now = site.clock.now()
        points = load_points(conn)
        installed = min(m.installed_at for m in site.meters if m.installed_at)
        settled = [load_intervals(conn, p.point_id, installed, now) for p in points]
        collected = since(site.before, read_ledger(conn), site.filled)
        alerts = load_alerts(conn, resolved_since=installed - timedelta(days=1))
    history = {
        str(t): {"stored": site.filled.stored[t], "repeated": site.filled.repeated[t]}
        for t in Transport
    }
    return Summary(
        readings=tally(sent, fruitless, collected),
        history=history,
        intervals=sum(len(intervals.start_us) for intervals in settled),
        alerts=len(alerts),
        duration_s=round(live_s, 1),
        version=version("keywatt"),
    )


def _await_messages(site: Site, sent: int) -> None:
    """Wait until what was published has arrived, or long enough."""
    deadline_s = time.monotonic() + _DRAIN_WITHIN_S
    with connect(site.database_url, autocommit=True) as conn:

        def have_arrived() -> bool:
            arrived = since(site.before, read_ledger(conn), site.filled)
            late = time.monotonic() > deadline_s
            return late or arrived[Transport.MQTT].total >= sent

        site.parts.watch(until=have_arrived, every_s=_LOOK_EVERY_S)


def _cause(exc: Exception, state: State, parts: Supervisor) -> Exception:
    """Find what lies behind an error: a full disk, or a part that died."""
    if "No space left" in str(exc) or _is_full(state):
        return _full_disk(state)
    if isinstance(exc, (psycopg.Error, DatabaseError)):
        try:
            parts.check()
        except PartError as dead:
            return dead
    return exc


def _is_full(state: State) -> bool:
    return shutil.disk_usage(state.folder).free < _NEARLY_NOTHING


def _full_disk(state: State) -> DemoError:
    return DemoError(
        f"The disk of {state.folder} is full: make room, or choose another disk with "
        "--state DIR."
    )
