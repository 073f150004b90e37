"""Small files in the forms that others write, and a database with one account."""

from datetime import UTC, datetime
from pathlib import Path

from accounts.site import Site
from reports.exchange.content import Content
from reports.exchange.form import make_form
from reports.exchange.importing import Order
from reports.exchange.reading import read_content
from storage.database import connect
from storage.master import apply_site
from tests.storage_data import meter, site
from tests.storage_data import point as a_point

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
UCSD = {
    "zone": "America/Los_Angeles",
    "unit": "kW",
    "columns": {
        "time": "DateTime",
        "net_kwh": "RealPower",
        "net_kvarh": "ReactivePower",
    },
}
"""How the raw files of that campus are understood."""


def content(
    folder: Path, text: str | bytes, name: str = "a.csv", *, point: str = "", **said
) -> Content:
    """Write a file and read it."""
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_content(file, make_form(said, "test"), point=point)


def campus(**keys) -> Site:
    """One account in Los Angeles, one point, one meter since 2016."""
    since = datetime(2016, 1, 1, tzinfo=UTC)
    return site(
        code="campus",
        time_zone="America/Los_Angeles",
        country="US",
        points=[a_point(meter("SD-1", installed_at=since, **keys))],
    )


def entered(url: str, a_site: Site) -> None:
    with connect(url) as conn:
        apply_site(conn, a_site)


def order(**keys) -> Order:
    return Order(account="campus", now=NOW, by="Li Wei", **keys)
