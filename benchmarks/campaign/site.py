"""What people enter about the campaign's points: meters, swaps, ratio changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Installation, Sector
from accounts.site import (
    ModbusConnection,
    MqttConnection,
    Site,
    SiteAccount,
    SiteMeter,
    SitePoint,
)
from benchmarks.campaign.plants import COUNTRY, ZONE
from benchmarks.campaign.schedule import Injected
from meters.quantity import REGISTERS
from meters.reading import from_utc_us, utc_us
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.meter_list import TARIFF
from storage.master import load_installations, load_points
from storage.site import apply_site

WHO = "campaign"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A point: its meter, what is wrong with it, what was contracted."""

    meter: LightMeter
    injected: Sequence[Injected]
    contract_kw: float

    def moments(self, fault: Fault, start_ms: int) -> Iterator[int]:
        """Yield when a fault of which somebody was told struck. [ms since 1970]."""
        for one in self.injected:
            if one.fault is fault and one.is_told:
                yield start_ms + one.from_s * 1000


def enter(conn: Connection[TupleRow], places: Sequence[Place], every_s: int) -> None:
    """Enter points and their first meters, as they are before anything happens."""
    apply_site(conn, _site(places, every_s, swaps={}))
    conn.commit()


def enter_changes(
    conn: Connection[TupleRow], places: Sequence[Place], every_s: int, start_ms: int
) -> None:
    """Enter what somebody wrote down: swaps with what registers showed, new ratios."""
    swaps = {
        place.meter.serial: list(place.moments(Fault.SWAP, start_ms))
        for place in places
    }
    apply_site(conn, _site(places, every_s, swaps))
    point_ids = point_ids_of(conn)
    for place in places:
        sat = load_installations(conn, point_ids[place.meter.serial])
        for one in sat:
            _enter_counts(conn, one, place.meter)
        ratio = Fraction(place.meter.ratio)
        for at_ms in place.moments(Fault.RATIO_CHANGE, start_ms):
            change = next(
                s for s in place.meter.spells if s.fault is Fault.RATIO_CHANGE
            )
            ratio *= Fraction(str(change.size))
            at = from_utc_us(at_ms * 1000)
            holding = [one for one in sat if one.installed_at <= at][-1]
            _enter_ratio(conn, holding.installation_id, at, ratio)
            for later in sat[sat.index(holding) + 1 :]:
                _enter_ratio(conn, later.installation_id, later.installed_at, ratio)
    conn.commit()


def point_ids_of(conn: Connection[TupleRow]) -> dict[str, int]:
    """Return the points by the serial of their meter, which is their name."""
    return {point.name: point.point_id for point in load_points(conn)}


def _site(
    places: Sequence[Place], every_s: int, swaps: Mapping[str, Sequence[int]]
) -> Site:
    return Site(
        tariffs=(TARIFF,),
        accounts=(
            SiteAccount(
                code="campaign",
                name="Fault campaign",
                sector=Sector.OTHER,
                time_zone=ZONE,
                country=COUNTRY,
                manager="Campaign",
                tariff=TARIFF.code,
                points=tuple(
                    SitePoint(
                        name=place.meter.serial,
                        contract_demand_kw=place.contract_kw,
                        meters=tuple(
                            _meters(
                                place.meter, every_s, swaps.get(place.meter.serial, ())
                            )
                        ),
                    )
                    for place in places
                ),
            ),
        ),
    )


def _meters(
    meter: LightMeter, every_s: int, swapped_ms: Sequence[int]
) -> Iterator[SiteMeter]:
    """Yield a meter's times at its point: a new one goes by the old one's name."""
    connection: ModbusConnection | MqttConnection = MqttConnection(
        report_every_s=every_s
    )
    if meter.place is not None:
        connection = ModbusConnection(
            host=meter.place.host,
            port=meter.place.port,
            unit=meter.place.unit,
            poll_every_s=every_s,
        )
    turns = [meter.installed_ms, *swapped_ms]
    for begin, end in zip(turns, [*turns[1:], None], strict=True):
        yield SiteMeter(
            serial=meter.serial,
            profile=meter.profile.name,
            connection=connection,
            installed_at=from_utc_us(begin * 1000),
            removed_at=None if end is None else from_utc_us(end * 1000),
            ratio=meter.ratio,
        )


ENTER_COUNTS = """
    INSERT INTO swap_reading (installation_id, quantity, opening_counts,
                              closing_counts, entered_by)
    VALUES (%(installation_id)s, %(quantity)s, %(opening)s, %(closing)s, %(who)s)
"""


def _enter_counts(
    conn: Connection[TupleRow], sat: Installation, meter: LightMeter
) -> None:
    """Enter what the registers showed when a meter came, and when it went."""
    came, went = sat.installed_at, sat.removed_at
    for quantity in REGISTERS:
        if quantity not in meter.gives:
            continue
        closing = None
        if went is not None:
            closing = meter.counts_at(quantity, utc_us(went) // 1000 - 1)
        conn.execute(
            ENTER_COUNTS,
            {
                "installation_id": sat.installation_id,
                "quantity": quantity,
                "opening": meter.counts_at(quantity, utc_us(came) // 1000),
                "closing": closing,
                "who": WHO,
            },
        )


ENTER_RATIO = """
    INSERT INTO multiplier_change (installation_id, since, multiplier, entered_by)
    VALUES (%(installation_id)s, %(since)s, %(multiplier)s::numeric, %(who)s)
"""


def _enter_ratio(
    conn: Connection[TupleRow], installation_id: int, since: datetime, ratio: Fraction
) -> None:
    conn.execute(
        ENTER_RATIO,
        {
            "installation_id": installation_id,
            "since": since,
            "multiplier": str(float(ratio)),
            "who": WHO,
        },
    )
