"""The completeness page, from all accounts down to the readings of one interval."""

import re
from datetime import date
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from accounts.supply import Outage
from dashboard import data
from storage.bills import pin_bill
from storage.closures import close
from storage.database import connect
from storage.edit_records import load_edits
from storage.master import load_point
from storage.outages import add_outage
from tests.dashboard.lacking import ADDRESS, GAP, LATER, mill
from tests.dashboard.pages_under_test import configure, html, metrics, run
from tests.fix_seeded_accounts import NOW as MADE_NOW
from tests.fix_seeded_accounts import SEOUL
from tests.keywatt.settled_point import QUARTER, START

__all__ = ["mill"]
INTERVAL = ADDRESS | {"interval": "2026-03-02T15:45Z"}


def rows(page: AppTest, card: str) -> list[list[str]]:
    """Return the cells of the table that stands in some HTML, as text."""
    (found,) = [part for part in htmls(page) if card in part and "kw-table" in part]
    lines = re.findall(r"<tr>(.*?)</tr>", found)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines]
    return [[unescape(re.sub(r"<.*?>", "", cell)) for cell in line] for line in cells]


def htmls(page: AppTest) -> list[str]:
    return [element.proto.body for element in page.get("html")]


def test_all_accounts_with_the_way_to_each(mill) -> None:
    configure(mill.url)
    page = run("completeness")
    assert "Paper Mill" in html(page)
    (address,) = re.findall(r'href="([^"]+)"', rows_html(page, "Paper Mill"))
    assert address == "completeness?account=mill"
    # 3 of 8 settled quarter-hours, two of them beside what was refused.
    assert metrics(page)["Estimated"][1] == "mostly refused (not-json)"


def rows_html(page: AppTest, about: str) -> str:
    (found,) = [part for part in htmls(page) if about in part and "<table" in part]
    return found


def test_an_account_has_a_calendar_and_its_worst_days(mill) -> None:
    configure(mill.url)
    page = run("completeness", account="mill")
    head, *days = rows(page, "Mostly because")
    assert head[:3] == ["Day", "Point", "Known"]
    # Nine days wait for the worker, eight of them whole; the 3rd has 88 that do.
    waits = "waiting to be settled"
    assert days[0] == ["4 Mar 2026", "Main supply", "0 / 96", "0", "0", waits]
    assert len(days) == 10
    assert days[8][:5] == ["3 Mar 2026", "Main supply", "8 / 96", "0", "3"]
    ways = re.findall(r'href="([^"]+)"', rows_html(page, "Mostly because"))
    asked = parse_qs(urlsplit(unescape(ways[8])).query)
    assert {name: value for name, (value,) in asked.items()} == ADDRESS
    assert len(page.get("plotly_chart")) == 1


def test_the_rules_broken_on_an_account_open_the_trace(mill) -> None:
    configure(mill.url)
    page = run("completeness", account="mill")
    head, gap, *_ = rows(page, "Figures")
    assert head == ["Day", "Rule", "Figures", "Point"]
    # Boundaries 3 and 4 were not read.
    assert gap == [
        "3 Mar 202600:30 to 01:15",
        "Gapfailed",
        "intervals 3",
        "Main supply",
    ]
    ways = re.findall(r'href="([^"]+)"', rows_html(page, "Figures"))
    asked = parse_qs(urlsplit(unescape(ways[0])).query)
    opened = {name: value for name, (value,) in asked.items()}
    assert opened == ADDRESS | {"interval": "2026-03-02T15:30Z"}
    assert "Days a rule failed: 1" in html(page)
    assert metrics(page)["Edited"] == ("0 %", "0 quarter-hours")
    every = rows(run("completeness"), "Days a rule failed")
    assert every[1][6] == "1"


def test_where_no_rule_broke_that_is_said(mill) -> None:
    with connect(mill.url) as conn:
        conn.execute("UPDATE settled_day SET verdicts = '[]', worst = 0")
    configure(mill.url)
    told = html(run("completeness", account="mill"))
    assert "All rules held. Days that were judged: 1." in told
    with connect(mill.url) as conn:
        conn.execute("DELETE FROM settled_day")
    data.forget()
    told = html(run("completeness", account="mill"))
    assert "The rules have judged no day of this period yet." in told


def test_what_was_entered_of_an_interval_is_told(mill) -> None:
    configure(mill.url)
    first = INTERVAL | {"interval": "2026-03-02T15:00Z"}
    assert "Entered of that time" not in html(run("completeness", **first))
    off = {"kind": "planned", "reason": "New <switch>"}
    supply = Outage(start=START, stop=START + 2 * QUARTER, **off)
    with connect(mill.url) as conn:
        point = load_point(conn, mill.point_id)
        add_outage(conn, point, supply, by="Jo Park", now=LATER)
        close(conn, 1, [date(2026, 3, 3)], reason="Stocktaking", by="Li Wei", now=LATER)
    mill.settle(MADE_NOW)
    data.forget()
    told = html(run("completeness", **first))
    # 25 and 30 kWh were measured while supply was off.
    assert "Energy was counted in it all the same: 55 kWh." in told
    assert "Tue 3 Mar 00:30, as planned: “New &lt;switch&gt;”. Entered by Jo" in told
    assert "The site was closed on that day: “Stocktaking”. Entered by Li Wei" in told


def test_a_day_closes_and_says_what_the_rules_said(mill) -> None:
    configure(mill.url)
    page = run("completeness", **ADDRESS)
    (_, *lines, total) = rows(page, "Expected by the calendar")
    # 25 + 30 + 3 x 25 kWh; 95 kWh over the three between, in whole counts of 0.01.
    assert lines == [
        ["Measured", "5", "130 kWh"],
        ["Estimated, on a straight line: meter silent", "1", "31.67 kWh"],
        ["Estimated, on a straight line: refused (not-json)", "2", "63.33 kWh"],
        ["Not settled: waiting to be settled", "88", "–"],
    ]
    assert total[1] == "96"
    assert sum(int(line[1]) for line in lines) == 96
    assert ["Gap", "failed"] in [line[:2] for line in rows(page, "Verdict")]


def test_an_interval_walks_back_to_all_that_led_to_it(mill) -> None:
    configure(mill.url)
    page = run("completeness", **INTERVAL)
    figures = metrics(page)
    assert figures["Energy"][0].startswith("31.6")
    assert figures["How it is known"] == (
        "Estimated",
        "on a straight line: refused (not-json)",
    )
    assert figures["Believed since"][1] == "version 1"
    versions = rows(page, "Until")
    assert versions[1][0] == "1"
    assert versions[1][-1] == "now"
    readings = rows(page, "Register (kWh)")
    # Two on either side of the gap: 25, 55, 150 and 175 kWh.
    assert [line[2] for line in readings[1:]] == ["25", "55", "150", "175"]
    assert [line[3] for line in readings[1:]] == ["2,500", "5,500", "15,000", "17,500"]
    assert readings[1][0] == "Tue 3 Mar 00:15:00"
    assert "Meter M-mill, multiplier 1" in html(page)
    refused = rows(page, "What was wrong")
    assert refused[1][1:3] == ["not-json", "mill <b>"]
    assert "mill <b>" not in html(page)
    # Of MQTT meters all are counted as they come: 7 readings, in two hours.
    assert "from Tue 3 Mar 00:00 on: readings that came 3, polls" in html(page)
    assert "Nobody has edited it." in html(page)
    assert "No bill pins it." in html(page)


def edit(page: AppTest, kwh: float | None, why: str) -> AppTest:
    name = GAP.isoformat()
    if kwh is not None:
        page.number_input(f"edit-kwh-{name}").set_value(kwh)
    page.text_input(f"edit-why-{name}").set_value(why)
    buttons = [one for one in page.button if one.label == "Save"]
    return buttons[0].click().run()


def edits(point) -> list:
    with connect(point.url) as conn:
        return load_edits(conn, point.point_id, GAP, GAP + QUARTER)


def test_a_person_edits_an_interval_and_undoes_it(mill) -> None:
    configure(mill.url)
    page = edit(run("completeness", **INTERVAL), 24.5, "Read from the plant's log")
    assert "Saved as edit 1 by Mei Tan." in page.success[0].value
    assert "It shows once the day is settled again" in html(page)
    (one,) = edits(mill)
    assert (one.import_kwh, one.reason, one.edited_by) == (
        24.5,
        "Read from the plant's log",
        "Mei Tan",
    )
    mill.settle(MADE_NOW)
    data.forget()
    page = run("completeness", **INTERVAL)
    assert metrics(page)["Energy"][0] == "24.5 kWh"
    assert metrics(page)["How it is known"][0] == "Edited"
    assert "It shows once the day is settled again" not in html(page)
    assert [line[0] for line in rows(page, "Until")[1:]] == ["2", "1"]

    page.text_input("undo-why-1").set_value("The log was of another day")
    undo = [one for one in page.button if one.label == "Undo edit 1"]
    page = undo[0].click().run()
    assert "Edit 1 is undone by Mei Tan." in page.success[0].value
    assert edits(mill)[0].undone_why == "The log was of another day"
    assert "Undone by Mei Tan" in html(page)


def test_an_absurd_edit_is_asked_about_first(mill) -> None:
    configure(mill.url)
    page = edit(run("completeness", **INTERVAL), 451.0, "Read from the log")
    # 451 kWh in a quarter-hour are 1,804 kW; 3 x 500 kW, and 1.2 times that, is most.
    assert "Rules would fail with 451 kWh:" in html(page)
    assert "<b>More than can flow</b>: highest 1,804 kW, limit 1,800 kW" in html(page)
    page = edit(page, None, "Read from the log")
    assert "Tick “Save all the same”" in page.error[0].value
    # Of another figure it is asked anew, whatever was ticked.
    page.checkbox[0].check()
    page = edit(page, 452.0, "Read from the log")
    assert "Rules would fail with 452 kWh:" in html(page)
    assert (page.checkbox[0].value, edits(mill)) == (False, [])
    page.checkbox[0].check()
    page = edit(page, None, "Read from the log")
    assert "Saved as edit 1 by Mei Tan." in page.success[0].value
    assert edits(mill)[0].import_kwh == 452
    assert not page.checkbox


def test_a_corrected_figure_is_saved_without_a_question(mill) -> None:
    configure(mill.url)
    page = edit(run("completeness", **INTERVAL), 451.0, "Read from the log")
    page = edit(page, 24.5, "Read from the log")
    assert "Saved as edit 1 by Mei Tan." in page.success[0].value
    assert edits(mill)[0].import_kwh == 24.5


@pytest.mark.parametrize(
    ("kwh", "why", "told"),
    [
        (24.5, "  ", "Say in a few words why"),
        (24.5, "x" * 5, None),
    ],
)
def test_an_edit_needs_a_reason(mill, kwh, why, told) -> None:
    configure(mill.url)
    page = edit(run("completeness", **INTERVAL), kwh, why)
    assert len(edits(mill)) == (told is None)
    if told:
        assert told in page.error[0].value


def pin(point) -> None:
    with connect(point.url) as conn:
        day = (START + QUARTER).astimezone(SEOUL).date()
        pin_bill(conn, 1, day, day, as_of=LATER, by="Jo Park")


def test_what_is_billed_cannot_be_edited(mill) -> None:
    configure(mill.url)
    open_page = run("completeness", **INTERVAL)
    pin(mill)
    # Who had the page open before is refused with the bill's own sentence.
    page = edit(open_page, 24.5, "Read from the log")
    assert "Bill 1 of 2026-03-03 to 2026-03-03 pins 2026-03-02 15:45 UTC" in (
        page.error[0].value
    )
    assert edits(mill) == []
    configure(mill.url)
    page = run("completeness", **INTERVAL)
    assert "Bill 1 of 3 Mar 2026 to 3 Mar 2026" in html(page)
    assert "withdraw the bill before it can be edited" in html(page)
    assert not [one for one in page.button if one.label == "Save"]


def test_what_is_not_over_cannot_be_edited(mill) -> None:
    configure(mill.url)
    page = run("completeness", **ADDRESS | {"day": "2026-03-12"})
    assert "Not settled: not over yet" in html(page)
    late = {"day": "2026-03-12", "interval": "2026-03-12T06:00Z"}
    page = run("completeness", **ADDRESS | late)
    assert "It can be edited once it is over." in html(page)
    assert "It was never settled." in html(page)


@pytest.mark.parametrize(
    "address",
    [
        {"day": "2026-03-32"},
        {"day": "2026-03-03", "interval": "noon"},
        {"day": "2026-03-03", "point": "Hall"},
    ],
)
def test_a_misspelt_link_says_so(mill, address) -> None:
    configure(mill.url)
    page = run("completeness", **ADDRESS | address)
    assert "There is no such point or day." in html(page)


def test_another_managers_account_looks_like_none(mill) -> None:
    configure(mill.url, manager="Jo Park")
    for address in ({"account": "mill"}, ADDRESS, INTERVAL):
        page = run("completeness", **address)
        assert "There is no account “mill” among yours." in html(page)
    assert "Paper Mill" not in html(run("completeness"))


def test_the_page_speaks_chinese(mill) -> None:
    configure(mill.url, language="zh")
    page = run("completeness", **INTERVAL)
    told = html(page)
    assert metrics(page)["来源"] == ("估算", "直线内插：数据被拒收（not-json）")
    whole_day = html(run("completeness", **ADDRESS))
    assert "估算，直线内插：数据被拒收（not-json）" in whole_day
    told += whole_day
    assert "电表 M-mill，倍率 1" in told
    for word in ("Measured", "Estimated", "Version", "Nobody", "silent"):
        assert word not in told


def test_a_silent_meter_is_held_against_its_line(mill) -> None:
    """In both hours of the gap it failed 40 polls, and so did all three of its line."""
    with connect(mill.url) as conn:
        conn.execute(
            "UPDATE meter SET transport = 'modbus', host = '192.0.2.9', port = 502,"
            " unit = 1"
        )
        for unit in (2, 3):
            conn.execute(
                "INSERT INTO meter (serial, profile, transport, host, port, unit)"
                " VALUES (%s, 'eastron-sdm630', 'modbus', '192.0.2.9', 502, %s)",
                (f"N-{unit}", unit),
            )
        conn.execute(
            "INSERT INTO meter_count (meter_id, hour, failed)"
            " SELECT meter_id, date_trunc('hour', %s::timestamptz) + n * interval '1h',"
            "        40 FROM meter, generate_series(0, 1) AS n"
            " ON CONFLICT (meter_id, hour) DO UPDATE SET failed = 40",
            (GAP,),
        )
    configure(mill.url)
    told = html(run("completeness", **INTERVAL))
    # 3 readings came at boundaries 0 to 2: 40 of 43 failed, of the others all.
    assert "readings that came 3, polls without an answer 40." in told
    assert "Of the 3 meters on its line none failed in less than 93 %" in told
    assert "on a straight line: refused (not-json)" in told
    day = rows(run("completeness", **ADDRESS), "Expected by the calendar")
    assert ["Estimated, on a straight line: gateway down", "1", "31.67 kWh"] in day
