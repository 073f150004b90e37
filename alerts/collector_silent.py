"""When a collector is silent, and not each meter that it collects. Pure.

Collectors say every few seconds that they are there. As long as one is not, what its
meters do is not known: none of them is judged beyond its last word.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from meters.meter import Transport

KIND = "collector-silent"
OPENED = "no-beat-in-time"
BACK = "beats-again"
REPLACED = "another-collects"
LIMIT = timedelta(minutes=1)
"""A dozen beats."""


class Beat(Protocol):
    """The newest word of one collector."""

    @property
    def collector(self) -> str:
        """Its name."""
        ...

    @property
    def polls(self) -> bool:
        """Whether it asks Modbus meters."""
        ...

    @property
    def hears(self) -> bool:
        """Whether it listens to the broker."""
        ...

    @property
    def since_at(self) -> datetime:
        """There without a break since then."""
        ...

    @property
    def beat_at(self) -> datetime:
        """When it said so last."""
        ...

    @property
    def broker(self) -> str | None:
        """The broker's address; None = it does not say to which it listens."""
        ...

    @property
    def heard_at(self) -> datetime | None:
        """When its connection to the broker stood last; None = never yet."""
        ...

    @property
    def hearing_since(self) -> datetime | None:
        """It stood without a long break from then until `heard_at`."""
        ...


def limit_of(speed: float = 1.0) -> timedelta:
    """Return how long a collector may be quiet; a demo's clock may run ahead."""
    return LIMIT * speed


def transports_of(beat: Beat) -> tuple[Transport, ...]:
    """Return which meters a collector collects."""
    both = (Transport.MODBUS, beat.polls), (Transport.MQTT, beat.hears)
    return tuple(transport for transport, does in both if does)


def collected_at(beat: Beat, transport: Transport) -> datetime:
    """Return when a collector could read the meters of a transport last."""
    if transport is Transport.MQTT and beat.broker is not None:
        return beat.heard_at or beat.since_at
    return beat.beat_at


def _collected_since(beat: Beat, transport: Transport) -> datetime:
    if transport is Transport.MQTT and beat.hearing_since is not None:
        return max(beat.since_at, beat.hearing_since)
    return beat.since_at


@dataclass(frozen=True, slots=True)
class Collecting:
    """When meters of a transport were collected last, without a break."""

    since: datetime | None
    """None: as far as anybody knows, always."""
    until: datetime


def collecting_of(
    transport: Transport, beats: Iterable[Beat], now: datetime
) -> Collecting:
    """Return when the meters of a transport were collected last.

    Where no collector of them ever said that it is there, nothing speaks against that
    they were collected all the time.
    """
    beats = [beat for beat in beats if transport in transports_of(beat)]
    if not beats:
        return Collecting(None, now)
    last = {beat.collector: collected_at(beat, transport) for beat in beats}
    until = max(last.values())
    newest = [beat for beat in beats if until - last[beat.collector] < LIMIT]
    since = min(_collected_since(beat, transport) for beat in newest)
    return Collecting(since, min(until, now))


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorSilence:
    """A silent collector whose meters nobody else collects."""

    collector: str
    since: datetime
    """Its last word."""
    proven_at: datetime
    transports: tuple[Transport, ...]
    """Of the meters that nobody collects now."""


def judge_collectors(
    beats: Sequence[Beat],
    wanted: Iterable[Transport],
    looking_since: datetime,
    now: datetime,
    limit: timedelta,
) -> list[CollectorSilence]:
    """Return the silent collectors.

    Parameters
    ----------
    beats : sequence of Beat
        Of all collectors.
    wanted : iterable of Transport
        Those that installed meters speak.
    looking_since : datetime
        Beats are looked for without a pause since then: what was not looked for, or
        could not be told, was not silent.
    now : datetime
    limit : timedelta
        From `limit_of`.

    """
    proven = {b.collector: max(b.beat_at, looking_since) + limit for b in beats}
    there = [beat for beat in beats if proven[beat.collector] > now]
    served = {transport for beat in there for transport in transports_of(beat)}
    left = [transport for transport in dict.fromkeys(wanted) if transport not in served]
    found = []
    for beat in beats:
        missed = tuple(t for t in transports_of(beat) if t in left)
        if beat not in there and missed:
            found.append(
                CollectorSilence(
                    collector=beat.collector,
                    since=beat.beat_at,
                    proven_at=proven[beat.collector],
                    transports=missed,
                )
            )
    return found
