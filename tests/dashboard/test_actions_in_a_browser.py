"""What only a browser shows of an alert's buttons: what stands open after a click."""

import shutil

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.account_paint import FLAGS, dashboard
from storage import alerts as stored
from storage.database import connect
from tests.dashboard import made
from tests.support import missing

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def page(seeded) -> Page:
    """The steel account's page, with an open alert."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("No browser is installed: apt-get install chromium")
    alert = made.alert()
    with connect(seeded.url, autocommit=True) as conn:
        stored.open_alert(
            conn,
            seeded.steel.point_id,
            kind=alert.kind,
            code=alert.code,
            figures=alert.figures,
            who="keywatt",
            why="three intervals",
            at=alert.opened_at,
        )
    with dashboard(seeded.url) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}/account?account=steel")
        yield page
        browser.close()


def test_after_acknowledging_nothing_stands_open(page) -> None:
    page.get_by_role("button", name="Acknowledge").first.click()
    page.get_by_role("textbox", name="Reason").fill("called them")
    page.get_by_test_id("stFormSubmitButton").get_by_text("Acknowledge").click()
    expect(page.get_by_text("Acknowledged. Stored as")).to_be_visible(timeout=60_000)
    plan = page.get_by_role("button", name="Mark as planned").first
    expect(plan).to_be_visible()
    expect(page.get_by_role("textbox", name="Reason")).to_have_count(0)
    plan.click()  # and it opens when it is asked to
    expect(page.get_by_role("textbox", name="Reason")).to_be_visible()
