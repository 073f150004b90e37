"""The programs of docker-compose.yml together, with the very commands and environment.

Only what containers and their network give is replaced: host names, paths, and the
server's database; and site time runs fast, so that an interval ends within the test.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keywatt.clock import SiteClock
from keywatt.demo.state import free_range
from meters.meter import Transport
from simulators.fleet import KEY_ACCOUNTS, gateway_names
from storage.database import connect
from storage.health import load_meter_health, load_outcomes
from storage.intervals import load_intervals
from storage.master import load_account, load_accounts, load_points
from tests.deploy.compose import PROJECT, SECRETS, ours, services
from tests.deploy.shipped_broker import shipped_broker

WITHIN_S = 60
POLLED, PUBLISHED = "steel", "office"
"""An account of each transport."""


class Site:
    """Keywatt's containers as processes."""

    def __init__(self, folder: Path, database_url: str, broker_port: int) -> None:
        self.services = ours(services({**SECRETS, "KEYWATT_SIMULATORS_PASSWORD": "s"}))
        self.folder = folder
        self.running: dict[str, subprocess.Popen] = {}
        # A reading each half second is one in five minutes of the site.
        self.clock = SiteClock.starting(SiteClock().now(), 600.0)
        self.given = {
            "KEYWATT_DATABASE_URL": database_url,
            "KEYWATT_BROKER_HOST": "127.0.0.1",
            "KEYWATT_BROKER_PORT": str(broker_port),
        }

    def start(self, name: str, *more: str) -> subprocess.Popen:
        service = self.services[name]
        environment = dict(service["environment"])
        assert self.given.keys() & environment.keys() >= {"KEYWATT_DATABASE_URL"}
        environment |= {n: v for n, v in self.given.items() if n in environment}
        if "KEYWATT_READY_FILE" in environment:
            environment["KEYWATT_READY_FILE"] = str(self.ready_file(name))
        if "KEYWATT_JOURNAL_DIR" in environment:
            environment["KEYWATT_JOURNAL_DIR"] = str(self.folder / "journal")
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "keywatt", *service["command"], *more],
            env={**environment, "KEYWATT_CLOCK": str(self.clock)},
            cwd=PROJECT,
        )
        return self.running[name]

    def ready_file(self, name: str) -> Path:
        return self.folder / f"{name}-ready"

    def until(self, holds: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WITHIN_S
        while not holds():
            ended = {n: p.poll() for n, p in self.running.items() if p.poll()}
            assert ended == {}
            assert time.monotonic() < deadline_s
            time.sleep(0.05)

    def stop(self) -> dict[str, int]:
        for process in self.running.values():
            process.terminate()
        return {name: process.wait(20) for name, process in self.running.items()}


@pytest.fixture
def site(tmp_path, tmp_path_factory, empty_database) -> Iterator[Site]:
    passwords = {
        "COLLECTOR_PASSWORD": SECRETS["KEYWATT_COLLECTOR_PASSWORD"],
        "WORKER_PASSWORD": SECRETS["KEYWATT_WORKER_PASSWORD"],
        "CREWS_PASSWORD": "",
        "SIMULATORS_PASSWORD": "s",
    }
    root = tmp_path_factory.mktemp("mosquitto")
    with shipped_broker(root, passwords) as port:
        site = Site(tmp_path, empty_database, port)
        yield site
        site.stop()


def test_readings_of_both_kinds_of_meters_become_intervals(
    site, empty_database, tmp_path
) -> None:
    assert site.start("migrate").wait(WITHIN_S) == 0
    site.start(
        "simulators",
        *("--host", "127.0.0.1", "--reached-at", "127.0.0.1", "--every", "0.5"),
        *("--scenario", str(tmp_path / "scenario.json")),
        *("--base-port", str(free_range(15_500, len(gateway_names())))),
    )
    with connect(empty_database, autocommit=True) as conn:
        # A collector that is there first would look for new meters ten seconds later.
        site.until(lambda: bool(load_accounts(conn)))
        site.start("collector")
        site.start("worker")

        def all_are_heard() -> bool:
            meters = load_meter_health(conn, site.clock.now())
            return len(meters) == len(KEY_ACCOUNTS) and all(
                meter.newest_measured_at for meter in meters
            )

        def are_settled() -> bool:
            known = []
            for code in (POLLED, PUBLISHED):
                account_id = load_account(conn, code).account_id
                [point] = load_points(conn, account_id)
                now = site.clock.now()
                begun = site.clock.site_at_anchor
                settled = load_intervals(conn, point.point_id, begun, now)
                known.append(bool((settled.import_kwh > 0).any()))
            return all(known)

        site.until(all_are_heard)
        site.until(are_settled)
        outcomes = {(row.transport, row.outcome) for row in load_outcomes(conn)}
        assert outcomes == {(str(transport), "stored") for transport in Transport}
    healthy = {name for name in site.services if site.ready_file(name).exists()}
    assert healthy == {"collector", "worker", "simulators"}
    ends = site.stop()
    assert set(ends.values()) == {0}, ends
