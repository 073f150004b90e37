"""What the storage tests write: a small site and readings of its meters."""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from accounts.site import Site
from analytics.settlement.intervals import Intervals
from meters.presence import Presence
from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, utc_us
from meters.refusal import Refusal
from storage.clocks import store_drifts
from storage.collector_beats import CollectorBeat, store_beat
from storage.database import connect_async
from storage.meter_events import ToldEvents, store_events
from storage.meter_troubles import Trouble, store_troubles
from storage.presence import store_presences
from storage.reading_store import Written, write_batch
from storage.stated_multipliers import ToldMultiplier, store_multipliers
from tests.fix_timescale import Store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def site(**account: object) -> Site:
    """One account in Shanghai with one MQTT meter; keys of the account may differ."""
    return Site.model_validate(
        {
            "tariffs": [
                {
                    "code": "flat",
                    "name": "Flat",
                    "currency": "CNY",
                    "price_per_kwh": {"valley": "0.3", "flat": "0.6", "peak": "0.9"},
                    "valley_hours": ["00:00-08:00"],
                    "peak_hours": ["08:00-12:00"],
                }
            ],
            "accounts": [
                {
                    "code": "steel",
                    "name": "Riverside Steel",
                    "sector": "steel",
                    "time_zone": "Asia/Shanghai",
                    "country": "CN",
                    "manager": "Li Wei",
                    "tariff": "flat",
                    "points": [point(meter("ST-1"))],
                }
                | account
            ],
        }
    )


def point(*meters: dict[str, object], **keys: object) -> dict[str, object]:
    return {"name": "Main supply", "meters": list(meters)} | keys


def meter(serial: str, **keys: object) -> dict[str, object]:
    return {
        "serial": serial,
        "profile": "keywatt-json",
        "connection": {"transport": "mqtt"},
        "installed_at": datetime(2018, 1, 1, tzinfo=UTC),
        "register_digits": 8,
        "register_resolution": 0.01,
    } | keys


def batch(
    n: int, *, meter_id: int = 1, start: datetime = NOON, every: timedelta = QUARTER
) -> ReadingBatch:
    """Readings with an import register and a voltage, and all else not given."""
    step = every // timedelta(microseconds=1)
    values = np.full((n, len(QUANTITIES)), math.nan)
    values[:, COLUMN[Quantity.ENERGY_IMPORT_KWH]] = 1000 + np.arange(n)
    values[:, COLUMN[Quantity.VOLTAGE_L1_V]] = 230 + np.arange(n) / 8
    measured_us = utc_us(start) + step * np.arange(n, dtype=np.int64)
    return ReadingBatch(
        meter_id=np.full(n, meter_id, dtype=np.int32),
        measured_us=measured_us,
        received_us=measured_us + 1_000_000,
        values=values,
    )


def intervals(import_kwh: list[float], start: datetime = NOON) -> Intervals:
    """Consecutive quarter-hours, measured; NaN = missing."""
    energy = np.array(import_kwh)
    missing = np.isnan(energy)
    return Intervals(
        start_us=utc_us(start) + 900_000_000 * np.arange(energy.size, dtype=np.int64),
        length_min=15,
        import_kwh=energy,
        export_kwh=np.full(energy.size, math.nan),
        lagging_kvarh=energy / 2,
        leading_kvarh=np.where(missing, math.nan, 0.0),
        quality=np.where(missing, "missing", "measured").astype("U9"),
        method=np.full(energy.size, "", dtype="U12"),
    )


def write(
    store: Store,
    readings: ReadingBatch,
    refusals: Sequence[Refusal] = (),
    *,
    transport: str = "mqtt",
) -> Written:
    """Write one batch over a connection of its own."""

    async def work() -> Written:
        conn = await connect_async(store.url)
        async with conn:
            return await write_batch(
                conn, readings, transport=transport, refusals=refusals, copy=store.copy
            )

    return asyncio.run(work())


def compare(
    store: Store, meter_id: int, drifts: Sequence[tuple[datetime, float]]
) -> None:
    """Store how far a meter's clock was ahead, in one batch."""

    async def work() -> None:
        conn = await connect_async(store.url)
        async with conn:
            at, drift_s = zip(*drifts, strict=True)
            await store_drifts(conn, [meter_id] * len(at), at, drift_s)

    asyncio.run(work())


def tell_presence(store: Store, *presences: Presence) -> None:
    """Store which meters are online, in one batch."""

    async def work() -> None:
        async with await connect_async(store.url) as conn:
            await store_presences(conn, presences)

    asyncio.run(work())


def tell_faring(store: Store, meter_id: int, at: datetime) -> None:
    """Store a collector's beat, a meter's trouble, and what it states of itself."""
    beat = CollectorBeat(
        collector="north",
        polls=True,
        hears=True,
        since_at=at,
        beat_at=at,
        broker="10.0.0.9:1883",
        heard_at=at,
        hearing_since=at,
    )
    told = ToldEvents(
        meter_id=meter_id, at=at, events=[("cover-open", "register 7")], raw=b"\0\1"
    )

    states = ToldMultiplier(meter_id=meter_id, at=at, multiplier=80.0)

    async def work() -> None:
        async with await connect_async(store.url) as conn:
            await store_beat(conn, beat)
            await store_troubles(conn, [(meter_id, Trouble(since_at=at))], {99})
            await store_events(conn, [told])
            await store_multipliers(conn, [states])

    asyncio.run(work())
