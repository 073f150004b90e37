"""Settled intervals as Green Button (NAESB REQ.21, ESPI): an Atom feed of energy. Pure.

The LocalTimeParameters of the account; for each point a UsagePoint; for each energy
that is known a MeterReading with its ReadingType and one IntervalBlock a local day.
Values are whole thousandths of a Wh (varh). An interval that is missing has no reading.
A reading is valid unless its quality says otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from analytics.settlement.intervals import Quality
from analytics.settlement.method import Method
from analytics.settlement.verdict import Status
from meters.reading import from_utc_us
from reports.exchange.dst_rule import local_time
from reports.exchange.outgoing import Outgoing, method_of, runs_of
from reports.exchange.stamps import DAY_US
from reports.exchange.times import wall_of

ATOM = "http://www.w3.org/2005/Atom"
ESPI = "http://naesb.org/espi"
_ELECTRICITY = "0"
_DELTA = "4"
"""accumulationBehaviour: the difference over the interval."""
_SECONDARY_METERED = "1"
_NORMAL = "12"
_ENERGY = "12"
_ALL_PHASES = "224"
_MILLI = "-3"
_WH, _VARH = "72", "73"
_FORWARD, _REVERSE = "1", "19"
_MILLI_OF_KILO = 1e6
_SECOND_US = 1_000_000

VALID, EDITED, LIKE_DAY, LINEAR, QUESTIONABLE, DERIVED = 0, 7, 8, 9, 10, 11
"""QualityOfReading."""
_BY_METHOD = {
    Method.INTERPOLATED: LINEAR,
    Method.LINEAR: LINEAR,
    Method.CHECK: DERIVED,
    Method.CALCULATED: DERIVED,
    Method.ZERO: DERIVED,
}


@dataclass(frozen=True, slots=True)
class _Flow:
    """One of the four energies, as a ReadingType says it."""

    name: str
    uom: str
    direction: str


FLOWS = (
    _Flow("Energy delivered", _WH, _FORWARD),
    _Flow("Energy received", _WH, _REVERSE),
    _Flow("Reactive energy, lagging", _VARH, _FORWARD),
    _Flow("Reactive energy, leading", _VARH, _REVERSE),
)


def write_green_button(
    points: Sequence[Outgoing], file: BinaryIO, *, made_at: datetime
) -> None:
    """Write the intervals of points, none of them empty, as one feed."""
    made = f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    feed = ET.Element(f"{{{ATOM}}}feed")
    code = points[0].account.code if points else ""
    _atom(feed, "id", _urn("feed", code, made))
    _atom(feed, "title", points[0].account.name if points else "")
    _atom(feed, "updated", made)
    _link(feed, "self", f"RetailCustomer/{code}/Subscription", "espi-feed/Subscription")
    if points:
        feed.append(_clock(points, made))
    for one in points:
        feed.extend(_entries(one, made))
    ET.register_namespace("", ATOM)
    ET.register_namespace("espi", ESPI)
    ET.indent(feed)
    ET.ElementTree(feed).write(file, "utf-8", xml_declaration=True)


def _entries(one: Outgoing, made: str) -> Iterator[ET.Element]:
    point = f"RetailCustomer/{one.account.code}/UsagePoint/{one.point.point_id}"
    usage = _espi("UsagePoint")
    _child(_child(usage, "ServiceCategory"), "kind", _ELECTRICITY)
    yield _entry(
        (point, "UsagePoint"),
        one.point.name,
        made,
        usage,
        related=(
            (f"{point}/MeterReading", "espi-feed/MeterReading"),
            (_clock_of(one), "espi-entry/LocalTimeParameters"),
        ),
    )
    known = ~np.isnan(one.rows.values)
    for column, flow in enumerate(FLOWS):
        if known[:, column].any():
            yield from _reading(one, column, flow, point, made)


def _clock_of(one: Outgoing) -> str:
    return f"LocalTimeParameters/{one.account.code}"


def _clock(points: Sequence[Outgoing], made: str) -> ET.Element:
    """Say how the account's clock goes: by the rules of the newest interval's year."""
    zone = points[0].account.time_zone
    last_us = max(int(one.rows.start_us[-1]) for one in points)
    told = local_time(zone, from_utc_us(last_us).year)
    clock = _espi("LocalTimeParameters")
    _child(clock, "dstEndRule", told.dst_end_rule)
    _child(clock, "dstOffset", f"{told.dst_offset_s}")
    _child(clock, "dstStartRule", told.dst_start_rule)
    _child(clock, "tzOffset", f"{told.tz_offset_s}")
    return _entry((_clock_of(points[0]), "LocalTimeParameters"), f"{zone}", made, clock)


def _reading(
    one: Outgoing, column: int, flow: _Flow, point: str, made: str
) -> Iterator[ET.Element]:
    reading = f"{point}/MeterReading/{column + 1}"
    kind = f"ReadingType/{one.account.code}-{one.point.point_id}-{column + 1}"
    blocks = f"{reading}/IntervalBlock"
    yield _entry(
        (reading, "MeterReading"),
        flow.name,
        made,
        _espi("MeterReading"),
        related=((blocks, "espi-feed/IntervalBlock"), (kind, "espi-entry/ReadingType")),
    )
    yield _entry((kind, "ReadingType"), flow.name, made, _kind(flow, one.length_min))
    for day, rows in _by_day(one, column):
        yield _entry(
            (f"{blocks}/{day}", "IntervalBlock"), day, made, _block(one, column, rows)
        )


def _kind(flow: _Flow, length_min: int) -> ET.Element:
    kind = _espi("ReadingType")
    _child(kind, "accumulationBehaviour", _DELTA)
    _child(kind, "commodity", _SECONDARY_METERED)
    _child(kind, "dataQualifier", _NORMAL)
    _child(kind, "defaultQuality", f"{VALID}")
    _child(kind, "flowDirection", flow.direction)
    _child(kind, "intervalLength", f"{length_min * 60}")
    _child(kind, "kind", _ENERGY)
    _child(kind, "phase", _ALL_PHASES)
    _child(kind, "powerOfTenMultiplier", _MILLI)
    _child(kind, "timeAttribute", "0")
    _child(kind, "uom", flow.uom)
    return kind


def _by_day(one: Outgoing, column: int) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    """Return the known intervals of each local day."""
    known = np.flatnonzero(~np.isnan(one.rows.values[:, column]))
    day = wall_of(one.rows.start_us[known], one.account.time_zone) // DAY_US
    for rows in runs_of(day):
        date = from_utc_us(int(day[rows[0]]) * DAY_US)
        yield f"{date:%Y-%m-%d}", known[rows]


def _block(one: Outgoing, column: int, rows: npt.NDArray[np.intp]) -> ET.Element:
    start_s = (one.rows.start_us[rows] // _SECOND_US).tolist()
    values = np.rint(one.rows.values[rows, column] * _MILLI_OF_KILO).tolist()
    length_s = one.length_min * 60
    block = _espi("IntervalBlock")
    _period(block, "interval", start_s[0], start_s[-1] - start_s[0] + length_s)
    for at, row in enumerate(rows.tolist()):
        reading = _child(block, "IntervalReading")
        if quality := _quality(one, row, column):
            _child(_child(reading, "ReadingQuality"), "quality", f"{quality}")
        _period(reading, "timePeriod", start_s[at], length_s)
        _child(reading, "value", f"{values[at]:.0f}")
    return block


def _quality(one: Outgoing, row: int, column: int) -> int:
    """Return the quality of one reading."""
    quality = one.rows.quality[row]
    if quality == Quality.EDITED:
        return EDITED
    if quality == Quality.ESTIMATED:
        return _BY_METHOD.get(method_of(str(one.rows.method[row])), LIKE_DAY)
    if (known := one.method_in(row, column)) is not Method.NONE:
        return _BY_METHOD.get(known, LIKE_DAY)
    return QUESTIONABLE if one.rows.status[row] >= Status.WARN else VALID


def _period(parent: ET.Element, name: str, start_s: int, length_s: int) -> None:
    period = _child(parent, name)
    _child(period, "duration", f"{length_s}")
    _child(period, "start", f"{start_s}")


def _entry(
    resource: tuple[str, str],
    title: str,
    made: str,
    content: ET.Element,
    *,
    related: Sequence[tuple[str, str]] = (),
) -> ET.Element:
    """Put a resource into an Atom entry, in the order that readers expect."""
    href, kind = resource
    entry = ET.Element(f"{{{ATOM}}}entry")
    _atom(entry, "id", _urn(href))
    _link(entry, "self", href, f"espi-entry/{kind}")
    _link(entry, "up", href.rpartition("/")[0], f"espi-feed/{kind}")
    for other, its_kind in related:
        _link(entry, "related", other, its_kind)
    _atom(entry, "title", title)
    _atom(entry, "content").append(content)
    _atom(entry, "published", made)
    _atom(entry, "updated", made)
    return entry


def _urn(*parts: str) -> str:
    """Name a resource: the same whenever it is exported."""
    return uuid5(NAMESPACE_URL, "/".join(("keywatt", *parts))).urn


def _atom(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    made = ET.SubElement(parent, f"{{{ATOM}}}{name}")
    made.text = text
    return made


def _link(parent: ET.Element, rel: str, href: str, kind: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}link", rel=rel, href=href, type=kind)


def _espi(name: str) -> ET.Element:
    return ET.Element(f"{{{ESPI}}}{name}")


def _child(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    made = ET.SubElement(parent, f"{{{ESPI}}}{name}")
    made.text = text
    return made
