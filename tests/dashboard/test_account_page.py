import asyncio
import re
from datetime import timedelta
from html import unescape

import pytest

from alerts.lifecycle import AlertError
from dashboard import data
from storage import alerts as stored
from storage.clocks import store_drifts
from storage.database import connect, connect_async
from tests.dashboard import made
from tests.dashboard.pages_under_test import configure, html, metrics, run


@pytest.fixture
def show(monkeypatch):
    """Put hand-made reports in place of the database's."""

    def put(today, review, meters=()):
        configure()
        monkeypatch.setattr(data, "today", lambda _code: today)
        monkeypatch.setattr(data, "review", lambda _code, _days: review)
        monkeypatch.setattr(data, "meters", lambda _code: meters)
        return run("account", account="steel")

    return put


def test_figures_and_advice(show) -> None:
    page = show(made.today(), made.review())
    figures = metrics(page)
    # 16:30 UTC on the 11th is 01:30 on the 12th in Seoul; 412.44 of 500 kW is 82 %.
    assert figures["Peak"] == ("412.4 kW", "Thu 12 Mar 01:30 · 82 % of contract")
    assert figures["Load factor"] == ("24 %", "mean 100 kW")
    assert figures["Load now"] == ("100 kW", "expected 80 kW to 120 kW")
    assert figures["Today so far"] == ("1,400 kWh", "expected 1,400 kWh")
    assert figures["Energy charge"] == ("KRW 31.50", "Three periods")
    assert "Start Arc furnace at 06:00 instead of 10:00: 200 kWh" in html(page)
    assert "worth KRW 103.00 a day" in html(page)
    assert "No open alerts." in html(page)


def test_what_people_typed_is_shown_as_text(show) -> None:
    alert = made.alert("acknowledged")
    page = show(made.today(alerts=(alert,)), made.review(alerts=(alert,)))
    assert "&lt;b&gt;crane&lt;/b&gt; repair" in html(page)
    assert "<b>crane" not in html(page)


def listed(page) -> list[list[str]]:
    """Return the cells of the table of meters, as text."""
    table = re.search(r'<table class="kw-meters">(.*?)</table>', html(page))
    assert table
    rows = re.findall(r"<tr>(.*?)</tr>", table[1])
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    return [[unescape(re.sub(r"<.*?>", "", cell)) for cell in row] for row in cells]


def test_meters_are_listed_with_their_newest_reading_and_their_clock(show) -> None:
    meters = (
        made.meter("ST-1", age_s=12.0, drift_s=0.4),
        made.meter("ST-2", age_s=12.0, drift_s=-252.0),
        made.meter("<b>3", age_s=7200.0, drift_s=31.0),
        made.meter("ST-4", age_s=None, drift_s=None),
    )
    page = show(made.today(), made.review(), meters)
    assert listed(page) == [
        ["Meter", "Type", "Point", "Newest reading", "Clock"],
        ["ST-1", "eastron-sdm630", "Main supply", "12 s ago", "right"],
        ["ST-2", "eastron-sdm630", "Main supply", "12 s ago", "4 min behind"],
        ["<b>3", "eastron-sdm630", "Main supply", "2 h ago, late", "31 s ahead"],
        ["ST-4", "eastron-sdm630", "Main supply", "never", "gives none"],
    ]
    warned = re.findall(r'kw-warn">([^<]*)<', html(page))
    assert warned[-3:] == ["4 min behind", "2 h ago, late", "never"]


def test_a_meter_that_is_offline_is_shown_so(show) -> None:
    meters = (
        made.meter("ST-1", age_s=12.0, drift_s=None, offline_s=9.0),
        made.meter("ST-2", age_s=None, drift_s=None, offline_s=9.0),
    )
    page = show(made.today(), made.review(), meters)
    told = [row[3] for row in listed(page)[1:]]
    assert [one.partition(", ")[0] for one in told] == ["12 s ago", "never"]
    assert all(", offline since " in one for one in told)
    assert re.findall(r'kw-warn">([^<]*)<', html(page))[-2:] == told


def test_meters_come_from_the_database(seeded) -> None:
    asyncio.run(drift(seeded.url, seeded.steel.meter_id))
    configure(seeded.url, language="zh")
    page = run("account", account="steel")
    # Read two minutes ago; its clock was compared then.
    assert listed(page)[1] == [
        "M-steel",
        "keywatt-json",
        "Main supply",
        "2 分钟前",
        "慢 4 分钟",
    ]


async def drift(url: str, meter_id: int) -> None:
    async with await connect_async(url) as conn:
        await store_drifts(conn, [meter_id], [made.NOW], [-252.0])


def test_an_account_without_load_says_what_to_wait_for(seeded) -> None:
    configure(seeded.url)
    page = run("account", account="other")
    assert "No settled load yet." in html(page)
    assert metrics(page)["Load now"] == ("–", "no expected band yet")
    assert "Peak" not in metrics(page)


@pytest.mark.parametrize(
    "code",
    [pytest.param("nowhere", id="unknown"), pytest.param("other", id="not theirs")],
)
def test_an_account_that_is_not_theirs_cannot_be_told_from_none(seeded, code) -> None:
    configure(seeded.url, manager="Mei Tan")
    page = run("account", account=code)
    assert f"There is no account “{code}” among yours." in html(page)
    assert 'href="./"' in html(page)
    assert "Other Ltd" not in html(page)
    assert not metrics(page)


def test_without_an_account_it_offers_a_choice(seeded) -> None:
    configure(seeded.url, manager="Mei Tan")
    page = run("account")
    assert page.selectbox(key="chosen").options == ["Hanbit Steel", "Naru Clinic"]


@pytest.fixture
def with_alert(seeded) -> int:
    """Open an alert on the steel account; returns its id."""
    with connect(seeded.url) as conn:
        alert = made.alert()
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
        conn.commit()
        (opened,) = stored.load_alerts(conn)
    return opened.alert_id


def button(page, key: str):
    return next(b for b in page.button if b.form_id == key)


def test_acknowledging_is_stored_and_shown(seeded, with_alert) -> None:
    configure(seeded.url)
    page = run("account", account="steel")
    page.text_input(key=f"seen-why-{with_alert}").set_value("called them")
    button(page, f"acknowledge-{with_alert}").click().run()
    assert not page.exception
    assert page.success[0].value == "Acknowledged. Stored as Mei Tan, Thu 12 Mar 14:10."
    assert "Acknowledged by Mei Tan, Thu 12 Mar 14:10 “called them”" in html(page)
    with connect(seeded.url) as conn:
        (alert,) = stored.load_alerts(conn)
        steps = stored.load_events(conn, with_alert)
    assert alert.state == "acknowledged"
    assert (steps[-1].who, steps[-1].why) == ("Mei Tan", "called them")


def test_a_planned_change_needs_a_reason_and_an_end_to_come(seeded, with_alert) -> None:
    configure(seeded.url)
    page = run("account", account="steel")
    planned = f"planned-{with_alert}"
    button(page, planned).click().run()
    assert "Say in a few words why" in page.error[0].value
    page.text_input(key=f"plan-why-{with_alert}").set_value("overhaul")
    page.date_input(key=f"plan-day-{with_alert}").set_value(made.NOW.date())
    button(page, planned).click().run()  # 06:00 today in Seoul is past
    assert page.error[0].value == "The end lies in the past. Choose a later time."
    tomorrow = made.NOW.date() + timedelta(days=1)
    page.date_input(key=f"plan-day-{with_alert}").set_value(tomorrow)
    button(page, planned).click().run()
    assert not page.exception
    assert "Marked as planned until Fri 13 Mar 06:00." in page.success[0].value
    with connect(seeded.url) as conn:
        (alert,) = stored.load_alerts(conn)
    assert alert.state == "planned"


def test_the_address_names_the_period_and_follows_the_choice(seeded) -> None:
    configure(seeded.url)
    page = run("account", account="steel", days="7")
    seven = metrics(page)["Energy"][0]
    assert page.segmented_control(key="days").value == 7
    page.segmented_control(key="days").set_value(90).run()
    assert page.query_params["days"] == "90"
    assert metrics(page)["Energy"][0] != seven
    other = run("account", account="steel", days="8")
    assert other.segmented_control(key="days").value == 30


def test_the_page_speaks_chinese(seeded) -> None:
    configure(seeded.url, language="zh")
    page = run("account", account="steel")
    assert "返回客户总览" in html(page)
    assert "最大负荷" in metrics(page)


@pytest.mark.parametrize("act", ["acknowledge", "mark_planned"])
def test_an_alert_of_another_manager_is_refused_like_none(
    seeded, with_alert, act
) -> None:
    """A number that no page offered: promise 5."""
    configure(seeded.url, manager="Jo Park")
    until = made.NOW + timedelta(days=1)
    further = {"acknowledge": (), "mark_planned": (until,)}[act]
    said = set()
    for alert_id in (with_alert, with_alert + 999):
        with pytest.raises(AlertError) as refused:
            getattr(data, act)(alert_id, "not mine", *further)
        said.add(str(refused.value))
    assert said == {"There is no such alert among yours: the page may be out of date."}
    with connect(seeded.url) as conn:
        assert len(stored.load_events(conn, with_alert)) == 1
    configure(seeded.url, manager="Mei Tan")
    getattr(data, act)(with_alert, "mine", *further)
    with connect(seeded.url) as conn:
        assert len(stored.load_events(conn, with_alert)) == 2
