"""What a fleet is run with, and what became of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulators.meter_fleet.fault_request import FaultRequest
from simulators.meter_fleet.modbus_port import NowMs
from simulators.meter_fleet.mqtt_line import BrokerPlace
from simulators.meter_fleet.plan import FleetPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a fleet is."""

    published: int
    """Messages."""
    asked: int
    """Modbus requests."""
    unconfirmed: int
    """Messages on their way or waiting for the broker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetRun:
    """What a fleet is run with."""

    plan: FleetPlan
    now_ms: NowMs
    """The time the meters live in: milliseconds since 1970 UTC."""
    broker: BrokerPlace | None = None
    """None where no meter publishes."""
    faults: Sequence[FaultRequest] = ()
    ledger: Path | None = None
    lines: int = 4
    """Connections to the broker; a meter with a last will has one of its own."""
    batch: int = 1
    """Readings in a message."""
    drain_s: float = 5.0
    """At the end, so long for the broker to confirm what was sent."""
    restart_broker: str | None = None
    """Command of the fault `broker-restart`."""
    on_ready: Callable[[], None] = lambda: None
    on_tick: Callable[[Progress], None] = lambda _: None


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetReport:
    """What became of a run."""

    meters: Mapping[str, int]
    """By transport."""
    given: Mapping[str, Mapping[str, int]]
    """Readings by transport and standing, as in the ledger."""
    withheld: Mapping[str, int]
    """What faults kept, spoilt or delayed, by fault."""
    requests: int
    """Modbus requests that came."""
    messages: int
    """Messages published, those without readings too."""
    unsent: int
    """Readings that never left: at the end they were still with their meters."""
    forgotten: int
    """Messages for which meters had no room while the broker was away."""
    missed: int
    """Readings that this process was too late for by a whole period: its own fault."""
