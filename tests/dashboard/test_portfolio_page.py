import re

import pytest

from dashboard import data
from reports.disturbance import Disturbance
from tests.dashboard import made
from tests.dashboard.pages_under_test import configure, html, metrics, run


@pytest.fixture
def show(monkeypatch):
    """Put hand-made rows in place of the database's."""

    def put(*rows, disturbances=()):
        configure()
        shown = made.portfolio(*rows, disturbances=disturbances)
        monkeypatch.setattr(data, "portfolio", lambda: shown)
        return run("portfolio")

    return put


def test_rows_say_who_needs_someone_and_link_to_the_account(show) -> None:
    clinic = made.account("clinic", "Naru Clinic & Co")
    page = show(made.today(alerts=(made.alert(),)), made.today(of=clinic))
    rows = re.findall(r'<a class="kw-row ([a-z-]*)" href="([^"]+)"', html(page))
    assert rows == [
        ("kw-waiting", "account?account=steel"),
        ("", "account?account=clinic"),
    ]
    assert "Load 412 kW is above the expected 80 kW to 120 kW" in html(page)
    assert "Naru Clinic &amp; Co" in html(page)
    assert metrics(page)["Open alerts"] == ("1", "1 not taken yet")
    # 56 quarter-hours of 100 kW are 1400 kWh, twice; all as expected.
    assert metrics(page)["Energy today"] == ("2,800 kWh", "as expected")


def test_a_silent_meter_and_gaps_are_said(show) -> None:
    silent = made.today(read_at=None, load=made.curve(missing=(3, 4), estimated=(5,)))
    page = show(silent)
    assert metrics(page)["Late meters"][0] == "1"
    assert "never" in html(page)
    assert "2 missing" in html(page)
    assert "1 estimated" in html(page)


def test_what_keeps_many_meters_from_being_collected_is_said_first(show) -> None:
    figures = {
        "broker": "<mqtt>:1883",
        "since_at": "2026-03-11T05:30:00+00:00",
        "meters": 80,
    }
    told = Disturbance(code="broker-silent", figures=figures)
    page = show(made.today(), disturbances=(told,))
    assert "Collecting is disturbed" in html(page)
    assert (
        "No collector has reached the MQTT broker &lt;mqtt&gt;:1883 since Wed 11 Mar "
        "14:30: 80 meters are heard by nobody." in html(page)
    )
    assert "Collecting is disturbed" not in html(show(made.today()))


def test_search_and_filter(show) -> None:
    clinic = made.account("clinic", "Naru Clinic")
    page = show(made.today(alerts=(made.alert(),)), made.today(of=clinic))
    page.text_input(key="query").set_value("naru").run()
    assert "Naru Clinic" in html(page)
    assert "Hanbit Steel" not in html(page)
    page.text_input(key="query").set_value("nobody").run()
    assert "No account fits “nobody”." in html(page)
    page.text_input(key="query").set_value("").run()
    page.toggle(key="only-alerts").set_value(True).run()
    assert "Hanbit Steel" in html(page)
    assert "Naru Clinic" not in html(page)


def test_without_accounts_it_says_what_to_do(show) -> None:
    page = show()
    assert "No accounts yet" in html(page)
    assert "keywatt demo" in html(page)
    assert not metrics(page)


def test_one_manager_sees_only_their_accounts(seeded) -> None:
    configure(seeded.url, manager="Mei Tan")
    page = run("portfolio")
    assert "Accounts of Mei Tan" in html(page)
    assert "Hanbit Steel" in html(page)
    assert "Other Ltd" not in html(page)
    assert metrics(page)["Accounts"][0] == "2"


def test_a_database_that_is_away_is_said_in_one_sentence() -> None:
    configure("postgresql://keywatt@127.0.0.1:1/keywatt?connect_timeout=1")
    page = run("portfolio")
    assert "The database does not answer just now." in html(page)
