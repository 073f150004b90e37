"""Replays measured series through the real collector into a database."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from accounts.account import Sector
from accounts.site import (
    ModbusConnection,
    MqttConnection,
    Site,
    SiteAccount,
    SiteMeter,
    SitePoint,
)
from accounts.tariff import Prices, Tariff
from analytics.settlement.intervals import Intervals
from collector.counting.counts import Counts, new_counters
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from collector.run import collect
from keywatt.settling import settle_point
from meters.meter import Transport
from meters.payload import encode_payload
from meters.profile import PROFILES, ModbusProfile, MqttProfile, load_profile
from meters.reading import ReadingBatch, from_utc_us
from meters.topic import topic_of
from simulators.modbus_meter import ModbusMeters, Unit
from simulators.mqtt_meter import Publish
from simulators.replay import ReplayMeter, publish_replay
from simulators.replay_file import Series
from storage.database import connect, connect_async
from storage.intervals import load_intervals
from storage.master import load_account, load_meters, load_points
from storage.reading_store import write_batch
from storage.readings import load_readings
from storage.site import apply_site

HOST = "127.0.0.1"
AFTER_ALL = timedelta(minutes=1)
MODBUS_PROFILE = "schneider-iem3155"
WITHIN_S = 240.0
AT_ONCE = 200
"""Messages on their way together."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One measured series and whose it is."""

    code: str
    series: Series
    zone: str
    country: str

    @property
    def serial(self) -> str:
        return self.code

    @property
    def start(self) -> datetime:
        return from_utc_us(int(self.series.start_us[0]))

    @property
    def end(self) -> datetime:
        return from_utc_us(int(self.series.start_us[-1] + self.series.step_us))


def energy_only(folder: Path) -> Path:
    """Write a profile of the Modbus meter with its clock and energy and no more.

    A file holds no voltages; leaving them out asks three blocks a reading, not eight.
    """
    head, *registers = (
        (PROFILES / f"{MODBUS_PROFILE}.toml").read_text().split("[[registers]]")
    )
    kept = [each for each in registers if '"energy_' in each]
    path = folder / "energy-only.toml"
    text = "[[registers]]".join([head.replace(MODBUS_PROFILE, path.stem), *kept])
    path.write_text(text)
    return path


def site_of(
    replays: list[Replay], connection: Callable[[int], object], profile: str
) -> Site:
    """Describe the accounts of these series; connection is asked for each by number."""
    tariff = Tariff(
        code="any",
        name="Any",
        currency="KRW",
        price_per_kwh=Prices.model_validate(
            {"valley": "0.30", "flat": "0.60", "peak": "0.90"}
        ),
        valley_hours=(),
        peak_hours=(),
    )
    return Site(
        tariffs=(tariff,),
        accounts=tuple(
            SiteAccount(
                code=replay.code,
                name=replay.code,
                sector=Sector.OTHER,
                time_zone=ZoneInfo(replay.zone),
                country=replay.country,
                manager="Kim",
                tariff="any",
                points=(
                    SitePoint(
                        name="Main",
                        meters=(
                            SiteMeter(
                                serial=replay.serial,
                                profile=profile,
                                connection=connection(number),
                                installed_at=replay.start,
                            ),
                        ),
                    ),
                ),
            )
            for number, replay in enumerate(replays, start=1)
        ),
    )


async def over_mqtt(
    database: str, broker: BrokerAddress, replays: list[Replay]
) -> Counts:
    """Publish series in lockstep while the collector runs; return what it counted."""
    profile = load_profile("keywatt-json")
    assert isinstance(profile, MqttProfile)
    with connect(database) as conn:
        apply_site(conn, site_of(replays, lambda _: MqttConnection(), profile.name))
    meters = [ReplayMeter(replay.series, profile) for replay in replays]
    async with (
        collecting(database, broker, replays) as counts,
        connected(broker, client_id=f"meters-of-{replays[0].code}") as link,
        asyncio.TaskGroup() as publishing,
    ):
        for meter, replay in zip(meters, replays, strict=True):
            await until_heard(replay, meter, link.publish, counts[Transport.MQTT])
            publishing.create_task(
                publish_replay(
                    meter, replay.serial, profile, link.publish, at_once=AT_ONCE
                )
            )
        await until_stored(counts[Transport.MQTT], meters)
    return counts[Transport.MQTT]


async def over_modbus(
    database: str, replays: list[Replay], profile_file: Path | None = None
) -> Counts:
    """Let the collector poll series in lockstep; return what it counted."""
    profile = load_profile(profile_file or MODBUS_PROFILE)
    assert isinstance(profile, ModbusProfile)
    meters = [ReplayMeter(replay.series, profile) for replay in replays]
    units = [
        Unit(unit=number, profile=profile, meter=meter)
        for number, meter in enumerate(meters, start=1)
    ]
    async with ModbusMeters(units, host=HOST, port=0) as gateway:

        def connection(number: int) -> ModbusConnection:
            return ModbusConnection(
                host=HOST, port=gateway.port, unit=number, poll_every_s=1e-6
            )

        site = site_of(replays, connection, MODBUS_PROFILE)
        with connect(database) as conn:
            apply_site(
                conn, site if profile_file is None else with_(site, profile_file)
            )
        async with collecting(database, None, replays) as counts:
            for meter in meters:
                await meter.finished()
            await until_stored(counts[Transport.MODBUS], meters)
    return counts[Transport.MODBUS]


def with_(site: Site, profile_file: Path) -> Site:
    """Let every meter of a site have a profile of the test's own."""
    entered = site.model_copy(deep=True)
    for meter in entered.meters():
        object.__setattr__(meter, "profile", str(profile_file))
    return entered


@contextlib.asynccontextmanager
async def collecting(
    database: str, broker: BrokerAddress | None, replays: list[Replay]
):
    """Run the collector, which lives just after the end of the series."""
    end = max(replay.end for replay in replays) + AFTER_ALL
    counts = new_counters()
    collector = asyncio.create_task(
        collect(
            database,
            broker,
            lambda: end,
            counts=counts,
            client_id=f"collector-of-{replays[0].code}",
            refresh_every_s=3600,
        )
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            yield counts
    finally:
        collector.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collector


async def until_heard(
    replay: Replay, meter: ReplayMeter, publish: Publish, counts: Counts
) -> None:
    """Publish the opening reading until the collector has subscribed and hears it."""
    profile = load_profile("keywatt-json")
    assert isinstance(profile, MqttProfile)
    opening = meter.show()
    payload = encode_payload(
        profile, replay.serial, opening.measured_at, opening.values
    )
    heard = counts.asked
    while counts.asked == heard:
        await publish(topic_of(profile, replay.serial), payload)
        await asyncio.sleep(0.01)


async def until_stored(counts: Counts, meters: list[ReplayMeter]) -> None:
    """Wait until every display of every meter is in the database."""
    # The counts are the collector's own: nothing tells when they change.
    while counts.stored < sum(meter.displays for meter in meters):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def settled(database: str, replay: Replay) -> Intervals:
    """Settle a replayed point as the worker does, and return its intervals."""
    with connect(database) as conn:
        account = load_account(conn, replay.code)
        (point,) = load_points(conn, account.account_id)
        settle_point(conn, point.point_id, replay.end + AFTER_ALL)
        return load_intervals(
            conn, point.point_id, replay.start - AFTER_ALL, replay.end + AFTER_ALL
        )


def readings_in(database: str, replay: Replay) -> ReadingBatch:
    """All readings of a replayed meter."""
    with connect(database) as conn:
        (meter,) = (m for m in load_meters(conn) if m.serial == replay.serial)
        return load_readings(conn, meter.meter_id, replay.start, replay.end + AFTER_ALL)


def brought_over(
    from_database: str, to_database: str, replays: list[Replay], *, copy: bool
) -> None:
    """Write collected readings to another server as the collector's writer does.

    TimescaleDB in WebAssembly takes one connection at a time, so a collector that reads
    its list of meters while it writes cannot run on it.
    """
    batches: Mapping[str, ReadingBatch] = {
        replay.serial: readings_in(from_database, replay) for replay in replays
    }
    with connect(to_database) as conn:
        apply_site(conn, site_of(replays, lambda _: MqttConnection(), "keywatt-json"))
        ids = {meter.serial: meter.meter_id for meter in load_meters(conn)}

    async def write() -> None:
        conn = await connect_async(to_database)
        try:
            for serial, batch in batches.items():
                batch.meter_id[:] = ids[serial]
                await write_batch(conn, batch, transport="mqtt", copy=copy)
        finally:
            await conn.close()

    asyncio.run(write())
