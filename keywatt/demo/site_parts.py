"""The demo's programs: what each is started with, and when it is ready."""

import asyncio
import http.client
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.mqtt.broker import BrokerAddress
from keywatt.clock import SiteClock
from keywatt.demo.state import State, answers
from keywatt.embedded import EmbeddedPostgres, broker_command
from keywatt.parts import Part
from keywatt.settings import PREFIX, Settings, variable
from meters.profile import MqttProfile, load_profile
from meters.topic import subscription
from storage.database import DatabaseError, connect

BROKER = "broker"
COLLECTOR = "collector"
DASHBOARD = "dashboard"
METERS = "meters"
POSTGRES = "database"
WORKER = "worker"

_NOT_INHERITED = (
    "apprise",
    "broker",
    "clock",
    "dashboard",
    "database",
    "ready",
    "state",
)
"""Beginnings of settings that the demo gives itself, or must not have: simulated alerts
are not for the people who are told of real ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where everything listens."""

    broker_port: int
    modbus_port: int
    """The first of several."""
    dashboard_port: int

    @property
    def dashboard_url(self) -> str:
        """What a browser opens."""
        return f"http://127.0.0.1:{self.dashboard_port}"


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment without what the demo sets itself.

    Examples
    --------
    >>> inherited({"KEYWATT_APPRISE_URL": "mailto://boss", "KEYWATT_LANGUAGE": "zh"})
    {'KEYWATT_LANGUAGE': 'zh', 'PYTHONUNBUFFERED': '1'}

    """
    ours = tuple(PREFIX + name.upper() for name in _NOT_INHERITED)
    kept = {name: v for name, v in environment.items() if not name.startswith(ours)}
    return kept | {"PYTHONUNBUFFERED": "1"}


def postgres_part(postgres: EmbeddedPostgres) -> Part:
    """Be the database server."""

    def is_ready() -> bool:
        try:
            connect(postgres.url).close()
        except DatabaseError:
            return False
        return True

    return Part(
        name=POSTGRES,
        command=postgres.command(),
        is_ready=is_ready,
        user=postgres.system_user,
        folder=Path("/"),  # its user need not be able to enter ours
        stop_signal=signal.SIGINT,
    )


def broker_part(port: int) -> Part:
    """Be the MQTT broker."""
    return Part(
        name=BROKER, command=broker_command(port), is_ready=lambda: answers(port)
    )


def open_session(port: int) -> None:
    """Have the broker keep what meters publish before the collector is there."""
    from collector.mqtt.link import MqttLink  # noqa: PLC0415 - not for a demo's start

    broker = BrokerAddress(host="127.0.0.1", port=port)
    name = Settings.model_fields["collector_name"].default

    async def subscribe() -> None:
        link = MqttLink(broker, client_id=name, on_message=lambda *_: None)
        link.listen((subscription(_house_payload()),))
        await link.connect()
        await link.close()

    asyncio.run(subscribe())


def _house_payload() -> MqttProfile:
    profile = load_profile("keywatt-json")
    if not isinstance(profile, MqttProfile):
        raise TypeError("keywatt-json is a profile of MQTT")
    return profile


def service_parts(
    state: State, database_url: str, addresses: Addresses, clock: SiteClock
) -> dict[str, Part]:
    """Return the programs that are Keywatt's own services, by name."""
    environment = {
        variable("database_url"): database_url,
        variable("broker_port"): str(addresses.broker_port),
        variable("dashboard_port"): str(addresses.dashboard_port),
        variable("state_dir"): str(state.folder),
        variable("clock"): str(clock),
    }

    def service(name: str, *arguments: str) -> Part:
        ready = state.ready_file(name)
        return Part(
            name=name,
            command=[sys.executable, "-m", "keywatt", *arguments],
            is_ready=ready.exists,
            environment={**environment, variable("ready_file"): str(ready)},
        )

    collect = ("collect", "--counts", str(state.counts_file(COLLECTOR)))
    meters = (
        *("simulate", "--base-port", str(addresses.modbus_port)),
        *("--every", str(seconds_between_readings(clock.speed))),
        *("--counts", str(state.counts_file(METERS))),
    )
    dashboard = Part(
        name=DASHBOARD,
        command=[sys.executable, "-m", "keywatt", "dashboard"],
        is_ready=lambda: _is_healthy(addresses.dashboard_port),
        environment=environment,
    )
    services = (service(COLLECTOR, *collect), service(WORKER, "work"), dashboard)
    return {part.name: part for part in (*services, service(METERS, *meters))}


def seconds_between_readings(speed: float) -> float:
    """Return how often a meter is read: about once in a site-minute, or more often.

    Examples
    --------
    >>> seconds_between_readings(1), seconds_between_readings(60)
    (10.0, 1.0)

    """
    return min(10.0, 60.0 / speed)


def caller_environment() -> dict[str, str]:
    """Return what all parts inherit from whoever called the demo."""
    return inherited(os.environ)


def write_settings(
    file: Path, database_url: str, addresses: Addresses, clock: SiteClock
) -> None:
    """Let other commands find the running demo."""
    content = {
        "database_url": database_url,
        "broker_port": addresses.broker_port,
        "dashboard_port": addresses.dashboard_port,
        "clock": str(clock),
        "state_dir": str(file.parent),
    }
    # JSON's strings and numbers are TOML's too.
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in content.items()]
    file.write_text("".join(lines), "utf-8")


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
