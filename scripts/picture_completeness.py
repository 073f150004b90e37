"""Make docs/images/completeness.png anew: a demo, some readings of it lost.

PYTHONPATH=. .venv/bin/python scripts/picture_completeness.py

It starts a demo of its own in a folder that it removes again, takes readings away from
one account, sets one figure that cannot be, waits for the worker and takes the picture
in Chromium.
"""

import re
import shutil
import tempfile
import time
import tomllib
from datetime import timedelta
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.calendar import SiteCalendar
from analytics.settlement.edited_values import EditedValues
from meters.reading import utc_us
from storage.database import connect
from storage.dirty import mark_days
from storage.edits import store_edit
from storage.master import load_account, load_points
from tests.end_to_end.demo_runner import Demo, running

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "completeness.png"
CODE = "cold-store"
LOST_H = ((4, 8, 3), (9, 0, 24), (10, 0, 14), (17, 20, 1), (27, 6, 36), (40, 0, 48))
"""So many days ago, from which hour on, for how many hours."""
SETTLED_WITHIN_S = 180
LOSE = """
    DELETE FROM reading
     WHERE measured_at >= %(start)s AND measured_at < %(stop)s
       AND meter_id IN (SELECT meter_id FROM installation WHERE point_id = %(point_id)s)
"""


def main() -> None:
    """Start the demo, spoil it and take the picture."""
    folder = Path(tempfile.mkdtemp(prefix="keywatt-picture-"))
    try:
        with running(folder / "site", "--no-open", "--json") as demo:
            settings = tomllib.loads((demo.folder / "settings.toml").read_text("utf-8"))
            with connect(settings["database_url"], autocommit=True) as conn:
                _spoil(conn)
                _await_settled(conn)
            _take(demo)
    finally:
        shutil.rmtree(folder)


def _spoil(conn: Connection[TupleRow]) -> None:
    account = load_account(conn, CODE)
    [point] = load_points(conn, account.account_id)
    calendar = SiteCalendar(account.time_zone, account.country)
    [[newest]] = conn.execute("SELECT max(start) FROM energy_interval").fetchall()
    today = calendar.local_day(newest)
    for days_ago, hour, hours in LOST_H:
        day = today - timedelta(days=days_ago)
        start = calendar.day_bounds(day)[0] + timedelta(hours=hour)
        lost = {"point_id": point.point_id, "start": start}
        conn.execute(LOSE, lost | {"stop": start + timedelta(hours=hours)})
        mark_days(conn, point.point_id, day, day + timedelta(days=3))
    slip = calendar.day_bounds(today - timedelta(days=2))[0] + timedelta(hours=10)
    values = EditedValues.of_import(np.array([utc_us(slip)]), np.array([9999.0]))
    store_edit(conn, point.point_id, values, reason="A slip", by="Mei Tan", at=newest)


def _await_settled(conn: Connection[TupleRow]) -> None:
    """Wait until the demo's worker has settled the days that are over."""
    until_s = time.monotonic() + SETTLED_WITHIN_S
    query = "SELECT count(*) FROM dirty_point_day WHERE local_day < now()::date - 1"
    while conn.execute(query).fetchone() != (0,):
        if time.monotonic() > until_s:
            raise TimeoutError("The demo's worker did not settle the days in time.")
        time.sleep(1)


def _take(demo: Demo) -> None:
    address, *_ = re.findall(r"http://\S+", demo.said)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1366, "height": 1280})
        page.goto(f"{address}/completeness?account={CODE}&days=90")
        page.get_by_text("Days that lack most").wait_for()
        page.locator(".barlayer .point").nth(80).wait_for(state="attached")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
