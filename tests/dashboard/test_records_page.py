"""The page of records: what was entered for an account, and entering some."""

from datetime import date, time, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from accounts.supply import Outage
from reports.exchange.importing import Order, import_files
from storage.bills import pin_bill, withdraw_bill
from storage.closures import close
from storage.database import connect
from storage.import_records import list_imports
from storage.master import load_point
from storage.outages import add_outage, remove_outage
from storage.settlement_master import list_closures, list_outages
from tests.dashboard.lacking import LATER, mill
from tests.dashboard.pages_under_test import configure, html, run
from tests.dashboard.test_completeness_page import rows
from tests.keywatt.settled_point import START
from tests.reports.exchange.made import content

__all__ = ["mill"]
HOUR = timedelta(hours=1)
DAY = date(2026, 3, 3)
FILE = "t,kwh\n2026-03-03 01:00,70\n2026-03-03 01:15,71\n"
SAID = {"zone": "Asia/Seoul", "columns": {"time": "t", "import_kwh": "kwh"}}


@pytest.fixture
def url(mill, tmp_path) -> str:
    """A mill of which some of everything was entered, and some of it taken back."""
    mill.settle(LATER)
    off = Outage(
        start=START + 2 * HOUR, stop=START + 3 * HOUR, kind="planned", reason="<Cable>"
    )
    said = {"by": "anna", "now": LATER}
    with connect(mill.url) as conn:
        point = load_point(conn, mill.point_id)
        add_outage(conn, point, off, **said)
        remove_outage(conn, 1, reason="The other feeder", by="ben", now=LATER)
        days = [DAY + timedelta(days=n) for n in (1, 2, 3)]
        close(conn, 1, days, reason="Works holiday", **said)
        close(conn, 1, days[2:], reason="Strike", by="ben", now=LATER)
        order = Order(account="mill", by="Li Wei", now=LATER, apply=True)
        conn.commit()
        import_files(conn, [content(tmp_path, FILE, "march.csv", **SAID)], order)
        bill = pin_bill(conn, 1, DAY, DAY, as_of=LATER, by="Mei Tan", note="R-3")
        withdraw_bill(conn, bill, why="Wrong tariff", by="Mei Tan", at=LATER)
        pin_bill(conn, 1, DAY, DAY, as_of=LATER, by="Mei Tan", note="R-4")
    return mill.url


def test_it_lists_who_entered_and_took_back_what_when_and_why(url) -> None:
    configure(url)
    page = run("records", account="mill")
    at = "4 Mar 2026 01:00"
    outage = rows(page, "Cable")[1]
    assert outage[1:5] == [
        "3 Mar 2026 02:00",
        "3 Mar 2026 03:00",
        "Main supply",
        "planned",
    ]
    assert outage[5:] == ["<Cable>", f"anna, {at}", f"ben, {at}: The other feeder"]
    assert "<Cable>" not in html(page)
    assert rows(page, "Strike")[1:] == [
        ["6 Mar 2026", "Strike", f"ben, {at}", ""],
        [
            "6 Mar 2026",
            "Works holiday",
            f"anna, {at}",
            f"ben, {at}: another reason was given",
        ],
        ["4 Mar 2026 – 5 Mar 2026", "Works holiday", f"anna, {at}", ""],
    ]
    # 70 + 71 kWh from 01:00 on.
    assert rows(page, "march.csv")[1] == [
        "1",
        "march.csv",
        "Main supply",
        "3 Mar 2026 01:00",
        "3 Mar 2026 01:30",
        "2",
        "141 kWh",
        f"Li Wei, {at}",
        "",
    ]
    second, first = rows(page, "R-3")[1:]
    # The outage's day, which is the file's too, waits to be settled.
    assert second[5:] == ["as billeddays that wait to be settled: 1", ""]
    assert first[-2:] == ["", f"Mei Tan, {at}: Wrong tariff"]


def press(page: AppTest, label: str) -> AppTest:
    (button,) = (one for one in page.button if one.label == label)
    return button.click().run()


def test_a_person_enters_an_outage_and_takes_it_back(mill) -> None:
    configure(mill.url)
    page = press(run("records", account="mill"), "Enter an outage")
    assert "Say in a few words why" in page.error[0].value
    for end, at in (("since", time(1)), ("until", time(2))):
        page.date_input(f"outage-{end}-day").set_value(DAY)
        page.time_input(f"outage-{end}-time").set_value(at)
    page.radio("outage-kind").set_value("reported")
    page.text_input("outage-why").set_value("Cable fault")
    page = press(page, "Enter an outage")
    assert page.success[0].value == (
        "Outage 1 is entered by Mei Tan. Point-days that are settled again: 1."
    )
    with connect(mill.url) as conn:
        (one,) = list_outages(conn)
    # 01:00 on the wall in Seoul is an hour after the day's start.
    assert (one.start, one.stop) == (START + HOUR, START + 2 * HOUR)
    assert (one.kind, one.reason, one.entered_by) == (
        "reported",
        "Cable fault",
        "Mei Tan",
    )
    page.text_input("outage-why").set_value("Cable fault")
    page = press(page, "Enter an outage")
    assert "is entered already, as 1 by Mei Tan" in page.error[0].value
    page.text_input("take-back-why").set_value("It was the other feeder")
    page = press(page, "Take back")
    assert "“Outage 1, 3 Mar 2026 01:00” is taken back" in page.success[0].value
    with connect(mill.url) as conn:
        (gone,) = list_outages(conn, removed_too=True)
    assert (gone.removed_by, gone.removed_why) == ("Mei Tan", "It was the other feeder")


def test_closed_days_are_entered_and_files_taken_back(url) -> None:
    configure(url)
    page = run("records", account="mill")
    page.date_input("closure-first").set_value(date(2026, 3, 9))
    page.date_input("closure-last").set_value(date(2026, 3, 8))
    page.text_input("closure-why").set_value("Stocktaking")
    page = press(page, "Enter closed days")
    assert "last_day must not be earlier than day" in page.error[0].value
    page.date_input("closure-last").set_value(date(2026, 3, 10))
    page = press(page, "Enter closed days")
    assert "The closed days are entered by Mei Tan." in page.success[0].value
    which = page.selectbox("which")
    assert which.options == [
        "Closed 9 Mar 2026 – 10 Mar 2026",
        "Closed 6 Mar 2026",
        "Closed 4 Mar 2026 – 5 Mar 2026",
        "Import 1, march.csv",
    ]
    for name in (which.options[0], which.options[3]):
        page.selectbox("which").set_value(name)
        page.text_input("take-back-why").set_value("Mistaken")
        page = press(page, "Take back")
        assert f"“{name}” is taken back by Mei Tan." in page.success[0].value
    with connect(url) as conn:
        assert [one.day for one in list_closures(conn)] == [
            date(2026, 3, d) for d in (4, 5, 6)
        ]
        assert list_imports(conn)[0].undone_why == "Mistaken"


def test_another_managers_account_looks_like_none(url) -> None:
    configure(url, manager="Somebody Else")
    page = run("records", account="mill")
    assert "march.csv" not in html(page)
    assert not page.button
    assert "Choose an account" in html(run("records"))
