"""What people enter about the campaign's points: meters, swaps, ratio changes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Sector
from accounts.connection import ModbusConnection, MqttConnection
from accounts.multiplier import MultiplierChange
from accounts.register_note import RegisterNote
from accounts.site import Site, SiteAccount, SitePoint
from accounts.site_meter import SiteMeter
from benchmarks.campaign.plants import COUNTRY, ZONE
from benchmarks.campaign.schedule import Injected
from meters.quantity import REGISTERS
from meters.reading import from_utc_us
from meters.registers import exact
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.meter_list import TARIFF
from storage.master import load_points
from storage.site import apply_site


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
    apply_site(conn, _site(places, every_s, None))
    conn.commit()


def enter_changes(
    conn: Connection[TupleRow], places: Sequence[Place], every_s: int, start_ms: int
) -> None:
    """Enter what somebody wrote down: swaps with what registers showed, new ratios."""
    apply_site(conn, _site(places, every_s, start_ms))
    conn.commit()


def point_ids_of(conn: Connection[TupleRow]) -> dict[str, int]:
    """Return the points by the serial of their meter, which is their name."""
    return {point.name: point.point_id for point in load_points(conn)}


def _site(places: Sequence[Place], every_s: int, start_ms: int | None) -> Site:
    """Return the form of a site; `start_ms` where it has what happened since."""
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
                        meters=tuple(_meters(place, every_s, start_ms)),
                    )
                    for place in places
                ),
            ),
        ),
    )


def _meters(place: Place, every_s: int, start_ms: int | None) -> Iterator[SiteMeter]:
    """Yield a meter's times at its point: a new one goes by the old one's name."""
    meter = place.meter
    swaps = [] if start_ms is None else list(place.moments(Fault.SWAP, start_ms))
    turns = [meter.installed_ms, *swaps]
    changes = [] if start_ms is None else list(_changes(place, start_ms))
    ratio = meter.ratio
    for begin, end in zip(turns, [*turns[1:], None], strict=True):
        mine = [
            change
            for at_ms, change in changes
            if begin < at_ms and (end is None or at_ms < end)
        ]
        yield SiteMeter(
            serial=meter.serial,
            profile=meter.profile.name,
            connection=_connection(meter, every_s),
            installed_at=from_utc_us(begin * 1000),
            removed_at=None if end is None else from_utc_us(end * 1000),
            ratio=ratio,
            multiplier_changes=mine,
            opening=_noted(meter, begin),
            **({} if end is None else {"closing": _noted(meter, end - 1)}),
        )
        ratio = int(mine[-1].exact) if mine else ratio


def _changes(place: Place, start_ms: int) -> Iterator[tuple[int, MultiplierChange]]:
    """Yield when transformers were changed, and the ratio from then on."""
    ratio = Fraction(place.meter.ratio)
    for one in place.injected:
        if one.fault is Fault.RATIO_CHANGE:
            at_ms = start_ms + one.from_s * 1000
            ratio *= Fraction(str(one.size))
            yield at_ms, MultiplierChange(since=from_utc_us(at_ms * 1000), ct=ratio)


def _noted(meter: LightMeter, at_ms: int) -> RegisterNote:
    """Return what a person reads off the display."""
    numerator, denominator = exact(meter.profile.register_resolution)
    return RegisterNote.model_validate(
        {
            quantity: meter.counts_at(quantity, at_ms) * numerator / denominator
            for quantity in REGISTERS
            if quantity in meter.gives
        }
    )


def _connection(meter: LightMeter, every_s: int) -> ModbusConnection | MqttConnection:
    if meter.place is None:
        return MqttConnection(report_every_s=every_s)
    return ModbusConnection(
        host=meter.place.host,
        port=meter.place.port,
        unit=meter.place.unit,
        poll_every_s=every_s,
    )
