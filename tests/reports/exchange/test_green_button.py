"""The feed against what NAESB's schema says of it, and read back by another reader.

The public schema itself (usage.xsd and atom.xsd, Apache-2.0) is not kept here. Where
KEYWATT_TEST_ESPI_SCHEMA names its usage.xsd and xmlschema is installed, the feed is
checked against it too; ORDER and TYPES are what it says of the elements that we write.
"""

import os
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from greenbutton_objects.parse import parse_feed

from meters.reading import utc_us
from reports.exchange.green_button import ATOM, ESPI, write_green_button
from tests.reports.exchange.settled import outgoing

SCHEMA = os.environ.get("KEYWATT_TEST_ESPI_SCHEMA")
MADE = datetime(2026, 4, 1, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 8, 8, tzinfo=UTC)  # of March 8th in Los Angeles
LOS_ANGELES = "America/Los_Angeles"

ORDER = {
    "UsagePoint": ["roleFlags", "ServiceCategory", "status"],
    "ServiceCategory": ["kind"],
    "LocalTimeParameters": ["dstEndRule", "dstOffset", "dstStartRule", "tzOffset"],
    "MeterReading": [],
    "ReadingType": [
        *("accumulationBehaviour", "commodity", "consumptionTier", "currency"),
        *("dataQualifier", "defaultQuality", "flowDirection", "intervalLength", "kind"),
        *("phase", "powerOfTenMultiplier", "timeAttribute", "tou", "uom", "cpp"),
    ],
    "IntervalBlock": ["interval", "IntervalReading"],
    "IntervalReading": ["cost", "ReadingQuality", "timePeriod", "value"],
    "ReadingQuality": ["quality"],
    "interval": ["duration", "start"],
    "timePeriod": ["duration", "start"],
}
"""What each element may hold, in the order in which it must."""
WHOLE, UNSIGNED = r"-?\d{1,15}", r"\d{1,10}"
TYPES = {
    "dstEndRule": r"([0-9A-F]{2}){0,4}",
    "dstStartRule": r"([0-9A-F]{2}){0,4}",
    "dstOffset": WHOLE,
    "tzOffset": WHOLE,
    "start": WHOLE,
    "value": WHOLE,
    "powerOfTenMultiplier": r"-12|-9|-6|-3|-2|-1|0|1|2|3|6|9|12",
    "quality": r"0|7|8|9|1[0-9]",
}
"""Texts by element; of all others a whole number that is not negative."""


def written(*points) -> bytes:
    file = BytesIO()
    write_green_button(points, file, made_at=MADE)
    return file.getvalue()


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def assert_as_the_schema_says(element: ET.Element) -> None:
    name, children = local(element), [local(child) for child in element]
    assert element.tag == f"{{{ESPI}}}{name}"
    if name not in ORDER:
        assert not children
        assert re.fullmatch(TYPES.get(name, UNSIGNED), element.text or "")
        return
    places = [ORDER[name].index(child) for child in children]
    assert places == sorted(places)
    once = [child for child in children if child != "IntervalReading"]
    assert len(once) == len(set(once))
    for child in element:
        assert_as_the_schema_says(child)


@pytest.fixture
def feed() -> bytes:
    kwh = np.round(np.random.default_rng(1).uniform(0, 50, 200), 3)
    kwh[3] = np.nan
    energies = {"export_kwh": 0.5, "lagging_kvarh": 1.25, "leading_kvarh": 0.0}
    one = outgoing(MIDNIGHT, kwh, zone=LOS_ANGELES, **energies)
    one.rows.quality[5:8] = "estimated"
    one.rows.method[5:8] = ["linear", "average-like-day", "check"]
    one.rows.quality[8] = "edited"
    one.rows.status[9:11] = [2, 1]
    return written(one)


def test_every_element_is_as_the_schema_says(feed) -> None:
    root = ET.fromstring(feed)
    assert root.tag == f"{{{ATOM}}}feed"
    entries = root.findall(f"{{{ATOM}}}entry")
    ids = set()
    for entry in entries:
        names = [local(child) for child in entry]
        assert names == [
            "id",
            *["link"] * names.count("link"),
            *("title", "content", "published", "updated"),
        ]
        rels = [link.get("rel") for link in entry.findall(f"{{{ATOM}}}link")]
        assert rels[:2] == ["self", "up"]
        ids.add(entry.findtext(f"{{{ATOM}}}id"))
        (content,) = entry.find(f"{{{ATOM}}}content")
        assert_as_the_schema_says(content)
    assert len(ids) == len(entries)
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", one) for one in ids)


if SCHEMA:

    def test_the_public_schema_is_met(feed) -> None:
        xmlschema = pytest.importorskip("xmlschema")
        schema = xmlschema.XMLSchema(SCHEMA, allow="local")
        assert [str(error) for error in schema.iter_errors(feed.decode())] == []


def test_links_lead_somewhere(feed) -> None:
    root = ET.fromstring(feed)
    links = root.findall(f"{{{ATOM}}}entry/{{{ATOM}}}link")
    there = {link.get("href") for link in links if link.get("rel") == "self"}
    above = {link.get("href") for link in links if link.get("rel") == "up"}
    related = {link.get("href") for link in links if link.get("rel") == "related"}
    assert related <= there | above


def texts(feed: bytes, path: str) -> list[str | None]:
    found = ET.fromstring(feed).iterfind(f".//{path}", {"": ESPI})
    return [element.text for element in found]


def test_a_small_feed_by_hand() -> None:
    # 24.89 kWh are 24,890,000 thousandths of a Wh; the gap has no reading.
    one = outgoing(MIDNIGHT, [24.89, np.nan, 0.0], zone=LOS_ANGELES)
    feed = written(one)
    assert texts(feed, "value") == ["24890000", "0"]
    start = utc_us(MIDNIGHT) // 1_000_000
    assert texts(feed, "interval/duration") == ["2700"]
    assert texts(feed, "timePeriod/start") == [f"{start}", f"{start + 1800}"]
    assert texts(feed, "powerOfTenMultiplier") == ["-3"]
    assert texts(feed, "uom") == ["72"]
    assert texts(feed, "accumulationBehaviour") == ["4"]
    assert texts(feed, "dstStartRule") == ["360E2000"]
    assert texts(feed, "tzOffset") == ["-28800"]
    assert texts(feed, "quality") == []


def test_qualities_are_told(feed) -> None:
    # Linear 9, like day 8, check meter derived 11, edited 7, a warning questionable 10.
    # What could not be judged is valid, and valid goes without saying; four energies.
    assert texts(feed, "quality") == ["9", "8", "11", "7", "10"] * 4


def test_a_block_is_a_local_day(feed) -> None:
    # Spring: 23 h from 08:00 UTC to 07:00 UTC; the rest of 200 quarter-hours after it.
    assert texts(feed, "interval/duration")[:3] == ["82800", "86400", f"{12 * 900}"]


def test_another_reader_finds_the_same_energy(feed, tmp_path) -> None:
    (tmp_path / "feed.xml").write_bytes(feed)
    (point,) = parse_feed(tmp_path / "feed.xml")
    found = {
        reading.title: [
            one for block in reading.intervalBlocks for one in block.intervalReadings
        ]
        for reading in point.meterReadings
    }
    sums = {title: sum(one.value for one in each) for title, each in found.items()}
    kwh = np.round(np.random.default_rng(1).uniform(0, 50, 200), 3)
    drawn = float(kwh.sum() - kwh[3])
    assert sums == {
        "Energy delivered": pytest.approx(drawn * 1000),
        "Energy received": pytest.approx(200 * 500),
        "Reactive energy, lagging": pytest.approx(200 * 1250),
        "Reactive energy, leading": 0,
    }
    delivered = found["Energy delivered"]
    assert len(delivered) == 199
    assert delivered[0].timePeriod.duration == timedelta(minutes=15)


def test_points_share_the_clock_of_their_account() -> None:
    one = outgoing(MIDNIGHT, [1.0], zone=LOS_ANGELES)
    feed = written(one, one)
    assert len(texts(feed, "tzOffset")) == 1
    assert len(texts(feed, "value")) == 2
