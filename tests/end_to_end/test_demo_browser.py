"""What an account manager does with the running demo, in a real browser."""

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from psycopg import Connection

from simulators.fleet import KEY_ACCOUNTS, demo_calendar
from storage.alerts import load_alerts, load_events
from storage.database import connect
from storage.intervals import load_intervals
from storage.master import load_account, load_points
from tests.end_to_end.demo_runner import Demo, running
from tests.support import missing

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PICTURES = Path(__file__).parents[2] / "docs" / "images"
LAPTOP = {"width": 1366, "height": 850}
PHONE = {"width": 390, "height": 844}
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
# Its outage goes on while the demo starts, so that an alert is open at any hour.
CODE = "data-centre"
NAME = KEY_ACCOUNTS[CODE].name
SLOW_MS = 60_000
# What is below the window is drawn only once somebody scrolls there.
NOTHING_LEFT_TO_DRAW = """() =>
  [...document.querySelectorAll('[data-testid=stSkeleton]')]
    .map(one => one.getBoundingClientRect())
    .every(box => box.height == 0 || box.top > innerHeight)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("No browser is installed: apt-get install chromium")
    expect.set_options(timeout=SLOW_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def demo(browser) -> Iterator[Demo]:
    del browser  # asked for first: without one, nothing needs to start
    made = Path(tempfile.mkdtemp(prefix="keywatt-test-"))
    # --json: what it says on its way then comes on standard error.
    with running(made / "site", "--no-open", "--json") as started:
        yield started
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def page(browser, demo) -> Iterator[Page]:
    opened = browser.new_page(viewport=LAPTOP)
    opened.set_default_timeout(SLOW_MS)
    opened.goto(address(demo))
    yield opened
    opened.close()


@pytest.fixture
def database(demo) -> Iterator[Connection]:
    """The running demo's own database."""
    settings = tomllib.loads((demo.folder / "settings.toml").read_text())
    with connect(settings["database_url"], autocommit=True) as conn:
        yield conn


def address(demo: Demo) -> str:
    return re.search(r"http://\S+", demo.said)[0]


def picture(page: Page, name: str) -> None:
    """Take a picture for the README, where that is asked for."""
    if os.environ.get("KEYWATT_TEST_SCREENSHOTS") == "1":
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.wait_for_function(NOTHING_LEFT_TO_DRAW)
        page.screenshot(path=PICTURES / f"{name}.png")


def shown(page: Page, label: str) -> str:
    """The value of the figure with exactly this label."""
    metric = page.get_by_test_id("stMetric").filter(
        has=page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    )
    return metric.get_by_test_id("stMetricValue").inner_text()


def highest_kw(conn: Connection, days: int) -> float:
    """The account's highest quarter-hour of so many local days, today included."""
    calendar = demo_calendar()
    [point] = load_points(conn, load_account(conn, CODE).account_id)
    [[newest]] = conn.execute("SELECT max(start) FROM energy_interval")
    first = calendar.local_day(newest) - timedelta(days=days - 1)
    start = calendar.day_bounds(first)[0]
    intervals = load_intervals(
        conn, point.point_id, start, newest + timedelta(minutes=15)
    )
    # A quarter-hour's energy in kWh is four times its mean power in kW.
    return 4 * float(np.nanmax(intervals.import_kwh))


def test_the_portfolio_lists_all_accounts_and_finds_one(page) -> None:
    expect(page.get_by_text(NAME).first).to_be_visible()
    for account in KEY_ACCOUNTS.values():
        expect(page.get_by_text(account.name).first).to_be_visible()
    picture(page, "portfolio")
    search = page.get_by_role("textbox")
    search.fill("magpie")
    search.press("Enter")
    expect(page.get_by_text("Century Tower")).to_have_count(0)
    page.get_by_role("link", name=NAME).first.click()
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()


def test_the_peak_on_the_page_is_that_of_the_database(page, demo, database) -> None:
    page.goto(f"{address(demo)}/account?account={CODE}")
    expect(page.get_by_text("Peak", exact=True).first).to_be_visible()
    # From 1,000 kW on, people are shown whole kilowatts.
    assert shown(page, "Peak") == f"{highest_kw(database, 30):,.0f} kW"
    picture(page, "account")


def test_an_acknowledged_alert_is_stored_with_who_and_why(page, demo, database) -> None:
    account_id = load_account(database, CODE).account_id
    [alert] = load_alerts(database, account_id=account_id)
    assert alert.state == "open"
    page.goto(f"{address(demo)}/account?account={CODE}")
    page.get_by_role("button", name="Acknowledge").first.click()
    page.get_by_role("textbox", name="Reason").fill("Breaker replaced, ends at noon")
    page.get_by_test_id("stFormSubmitButton").get_by_text("Acknowledge").click()
    expect(page.get_by_text("Acknowledged. Stored as operator")).to_be_visible()
    [alert] = load_alerts(database, account_id=account_id)
    event = load_events(database, alert.alert_id)[-1]
    assert alert.state == "acknowledged"
    assert (event.action, event.who) == ("acknowledged", "operator")
    assert event.why == "Breaker replaced, ends at noon"
    page.reload()
    expect(page.get_by_text("Breaker replaced, ends at noon").first).to_be_visible()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_on_a_phone_nothing_sticks_out(browser, demo) -> None:
    phone = browser.new_page(viewport=PHONE)
    phone.set_default_timeout(SLOW_MS)
    phone.goto(f"{address(demo)}/account?account={CODE}")
    expect(phone.get_by_text("Peak", exact=True).first).to_be_visible()
    width = phone.evaluate("document.documentElement.scrollWidth")
    picture(phone, "phone")
    phone.close()
    assert width <= PHONE["width"]
