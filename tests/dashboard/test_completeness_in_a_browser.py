"""What only a browser shows: a finger opens a day, then a quarter-hour of it."""

import shutil

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.account_paint import FLAGS, dashboard
from tests.dashboard.lacking import LATER, mill
from tests.support import missing

__all__ = ["mill"]
pytestmark = [pytest.mark.slow, pytest.mark.browser]
PATIENCE_MS = 60_000


@pytest.fixture
def page(mill) -> Page:
    """The mill's calendar, settled on; the dashboard's clock stands far later."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("No browser is installed: apt-get install chromium")
    mill.settle(LATER)
    with dashboard(mill.url) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/completeness?account=mill&days=365")
        yield page
        browser.close()


def tap(page: Page, card: str, bar: int) -> None:
    """Tap into the middle of one bar of a chart."""
    bars = page.locator(f".st-key-card-{card} .barlayer .point path")
    expect(bars.nth(bar)).to_be_visible(timeout=PATIENCE_MS)
    bars.nth(bar).scroll_into_view_if_needed()
    box = bars.nth(bar).bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_from_the_calendar_down_to_an_edit(page, mill) -> None:
    days = page.locator(".st-key-card-calendar-1 .barlayer .point path").count
    expect(page.get_by_text("Days that lack most")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('.barlayer .point').length > 300")
    assert days() == 365
    worst = page.locator(".st-key-card-worst")
    worst.get_by_role("link", name="3 Mar 2026").click()
    expect(page.get_by_role("heading", name="3 Mar 2026")).to_be_visible()
    tap(page, "day", 2)  # of the measured ones the third, after three that are not
    expect(page.get_by_role("heading", name="01:15 to 01:30")).to_be_visible()
    assert "interval=2026-03-02T16%3A15Z" in page.url
    page.reload()  # the address alone brings it back
    expect(page.get_by_role("heading", name="01:15 to 01:30")).to_be_visible()

    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Energy (kWh)").fill("2650")
    page.get_by_role("textbox", name="Reason").fill("Read from the log")
    page.get_by_role("button", name="Save").click()
    # It stays open and asks: a figure a hundredfold is a slip.
    expect(page.get_by_text("Rules would fail with 2,650 kWh:")).to_be_visible()
    expect(page.get_by_text("Save all the same")).to_be_visible()
    page.get_by_label("Energy (kWh)").fill("26.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as edit 1 by benchmark.")).to_be_visible()
    expect(page.get_by_text("It shows once the day is settled again")).to_be_visible()
    mill.settle(LATER)
    # Nobody touches the page: it sees by itself that the day is settled.
    expect(page.get_by_text("Edited").first).to_be_visible(timeout=PATIENCE_MS)
    waits = page.get_by_text("It shows once the day is settled again")
    expect(waits).to_have_count(0)

    enter_closed_days(page)


def enter_closed_days(page: Page) -> None:
    """On the account's page of records."""
    page.goto(page.url.partition("/completeness")[0] + "/records?account=mill")
    page.get_by_role("button", name="Enter closed days").click()
    page.get_by_role("textbox", name="Reason").fill("Works holiday")
    submit = page.get_by_test_id("stFormSubmitButton")
    submit.get_by_text("Enter closed days").click()
    expect(page.get_by_text("closed days are entered by benchmark")).to_be_visible()
    expect(page.get_by_role("cell", name="Works holiday")).to_be_visible()
    # Wide tables scroll by themselves; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_finger_opens_a_day_of_the_calendar(page) -> None:
    page.wait_for_function("document.querySelectorAll('.barlayer .point').length > 300")
    tap(page, "calendar-1", 364)
    expect(page.get_by_text("All days of Paper Mill")).to_be_visible()
    assert "point=Main+supply" in page.url
    assert "day=" in page.url
