"""Every function of storage that asks the database, on both kinds of server.

The same story is written to each and everything is asked about it; the answers must be
the same, and no function may be left out.
"""

import inspect
import math
import pkgutil
import tomllib
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

import storage
from accounts.supply import Outage
from analytics.settlement.edited_values import EditedValues
from analytics.settlement.ruleset import rule_sets_of
from analytics.settlement.verdict import Status, Verdict
from meters.presence import Presence
from meters.reading import utc_us
from meters.refusal import Reason, Refusal
from storage import (
    alerts,
    bill_changes,
    bills,
    circumstances,
    clocks,
    closures,
    collector_beats,
    completeness,
    deliveries,
    dirty,
    edit_records,
    edits,
    evidence,
    exports,
    health,
    import_records,
    import_undo,
    imports,
    interval_store,
    intervals,
    judging,
    marking,
    master,
    meter_counts,
    meter_events,
    meter_interval_store,
    meter_intervals,
    meter_list,
    meter_troubles,
    migrate,
    outages,
    portfolio,
    readings,
    restoring,
    retention,
    rollups,
    rule_sets,
    settled_days,
    settlement_master,
    site_alerts,
    stated_multipliers,
    stored,
    tariffs,
    trace,
    verdicts,
    watching,
)
from storage.database import connect
from tests.fix_timescale import Store
from tests.storage_data import (
    NOON,
    QUARTER,
    batch,
    compare,
    meter,
    point,
    site,
    tell_faring,
    tell_presence,
    write,
)
from tests.storage_data import intervals as settled

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG_AGO = NOON - 60 * DAY
WITHIN = {
    "reading_store.write_batch": "tests.storage_data.write",
    "dirty.touch": "reading_store.write_batch",
    "meter_counts.add_to_meters": "reading_store.write_batch",
    "quarantine.count": "reading_store.write_batch",
    "quarantine.keep": "reading_store.write_batch",
    "clocks.store_drifts": "tests.storage_data.compare",
    "presence.store_presences": "tests.storage_data.tell_presence",
    "meter_list_notes.write_notes": "meter_list.apply_meter_list",
    "outages.insert_outage": "outages.add_outage",
    "collector_beats.store_beat": "tests.storage_data.tell_faring",
    "meter_events.store_events": "tests.storage_data.tell_faring",
    "meter_troubles.store_troubles": "tests.storage_data.tell_faring",
    "stated_multipliers.store_multipliers": "tests.storage_data.tell_faring",
    "other_files.refuse_elsewhere": "site.apply_site",
    "other_files.refuse_shared_address": "site.apply_site",
    "restoring.begin_timescale_restore": "tests.keywatt.test_backup",
    "restoring.end_timescale_restore": "tests.keywatt.test_backup",
    "site_installations.apply_installations": "site.apply_site",
    "site_settlement.apply_closures": "site.apply_site",
    "site_settlement.apply_details": "site.apply_site",
    "site_settlement.apply_notes": "site.apply_site",
    "site_settlement.apply_outages": "site.apply_site",
}
"""What the story calls by another function."""
DIFFERS = {
    "health.load_server",
    "migrate.flavour",
    "migrate.is_timescale",
    "restoring.offers_timescale",
}
"""What tells the servers apart."""

Answers = dict[str, list[object]]


class Asking:
    """Asks over a connection, and keeps what was said by the function's name."""

    def __init__(self, conn, answers: Answers) -> None:
        self.conn = conn
        self.answers = answers

    def __call__(self, function: Callable[..., object], *given, **named):
        answer = function(self.conn, *given, **named)
        module = function.__module__.removeprefix("storage.")
        name = f"{module}.{function.__name__}"
        self.answers.setdefault(name, []).append(comparable(answer))
        return answer


def comparable(answer: object) -> object:
    """Lay an answer open: columns as their bytes, so that NaN equals NaN."""
    if isinstance(answer, np.ndarray):
        return (answer.dtype.str, answer.tobytes())
    if is_dataclass(answer) and not isinstance(answer, type):
        return {f.name: comparable(getattr(answer, f.name)) for f in fields(answer)}
    if isinstance(answer, dict):
        return {key: comparable(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [comparable(each) for each in answer]
    return answer


def told(store: Store) -> Answers:
    """Write the story and ask everything."""
    answers: Answers = {}
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None  # names of statements are shared in WebAssembly
        enter(Asking(conn, answers))
    for start in (NOON, LONG_AGO):
        write(store, batch(8, start=start), [refusal()])
    write(store, batch(9))
    compare(store, 1, [(NOON, 4.0), (NOON - 40 * DAY, 9.0)])
    tell_faring(store, 1, NOON)
    tell_presence(store, Presence(1, False, NOON), Presence(2, True, NOON))
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        ask = Asking(conn, answers)
        ask_about_evidence(ask)
        ask_about_entries(ask)
        ask_about_settling(ask)
        store_old_chunks_by_column(conn)
        ask(intervals.refresh_hourly, None, NOON + DAY)
        with conn.transaction():
            raise_an_alert(ask)
        for _ in range(2):
            ask_about_energy(ask)
            ask_about_health(ask)
            old = settled([9.0], LONG_AGO)
            ask(interval_store.store_intervals, 1, old, settled_at=NOON)
            later_us = old.start_us + 4 * 900_000_000
            ask(interval_store.delete_intervals, 1, later_us, at=NOON)
            ask(intervals.refresh_hourly, LONG_AGO - DAY, LONG_AGO + DAY)
        with conn.transaction():
            ask_about_files(ask)
    return answers


def refusal() -> Refusal:
    return Refusal(
        reason=Reason.NOT_JSON,
        text="The payload is not JSON.",
        source="keywatt/ST-1/readings",
        transport="mqtt",
        received_at=NOON,
        raw=b"{",
    )


def enter(ask: Asking) -> None:
    process = {
        "name": "Pre-heater",
        "power_kw": 180.0,
        "duration_min": 120,
        "usual_start": "09:00",
        "earliest_start": "00:00",
        "latest_end": "24:00",
    }
    main = point(meter("ST-1"), processes=[process])
    ask(master.apply_site, site(points=[main, point(meter("ST-2"), name="Second")]))
    ask(master.load_accounts)
    ask(master.load_account, "steel")
    ask(master.load_points)
    ask(master.load_point, 1)
    ask(master.load_meters, NOON)
    ask(master.load_installations, 1)
    ask(master.load_tariff, 1, NOON)
    assert len(ask(tariffs.load_tariffs, 1, LONG_AGO, NOON)) == 1
    ask(master.load_processes, 1)
    lines = meter_list.load_entries(ask.conn)
    lines = [replace(one, line=n, ratio=2) for n, one in enumerate(lines, start=2)]
    ask(meter_list.apply_meter_list, lines, NOON)
    ask(meter_list.load_entries, NOON)
    ask(master.master_version)
    ask(master.next_turn, LONG_AGO)
    ask(migrate.migrate)
    ask(migrate.pending)
    ask(migrate.flavour)
    ask(migrate.is_timescale)
    ask(restoring.is_empty)
    ask(restoring.offers_timescale)
    ask(restoring.is_recovering)
    ask(restoring.analyse)
    ask(retention.set_retention, retention.Retention())
    ask(retention.drop_expired, NOON)


def ask_about_entries(ask: Asking) -> None:
    """Enter what settlement needs, and take one of each back."""
    steel = ask(master.load_account, "steel")
    main = ask(master.load_point, 1)
    said = {"by": "anna", "now": NOON}
    days = [date(2026, 1, 1), date(2026, 3, 4)]
    assert ask(closures.close, 1, days, reason="Works", **said)
    ask(closures.reopen, 1, days[1:], reason="Wrong", **said)
    ask(settlement_master.load_closures, 1)
    ask(settlement_master.list_closures, removed_too=True)
    ask(settlement_master.load_closure, 1, NOON.date())
    ask(settlement_master.calendar_of, steel)
    ask(settlement_master.calendars_of, [steel])
    for start in (NOON, LONG_AGO):
        off = Outage(start=start, stop=start + HOUR, kind="planned", reason="Cable")
        assert ask(outages.add_outage, main, off, **said)[1] == 1
    there = ask(settlement_master.list_outages)[-1]
    other = off.model_copy(
        update={"start": there.start, "stop": there.stop, "reason": "Fuse"}
    )
    ask(outages.change_reason, there, other, **said)
    ask(outages.remove_outage, 3, reason="Wrong", **said)
    ask(settlement_master.list_outages, removed_too=True)
    assert ask(settlement_master.load_outages, 1, NOON, NOON + DAY)
    text = '[[rule_sets]]\ncode = "standard"\nvalid_from = 2026-03-02'
    entered = rule_sets_of(tomllib.loads(text), "rules")
    ask(rule_sets.load_rule_sets)
    assert ask(rule_sets.apply_rule_sets, text, entered, **said).days == 1
    ask(rule_sets.load_rule_sets)
    ask(rule_sets.placed_points)
    ask(rule_sets.points_called, "Main supply")
    sat = (1, 1, LONG_AGO, NOON)
    ask(marking.mark_noted, *sat, opening=True, closing=True, now=NOON)
    ask(marking.mark_time, 1, LONG_AGO, NOON, NOON)


def ask_about_settling(ask: Asking) -> None:
    ask(judging.points_due, NOON + DAY)
    ask(dirty.mark_touched)
    ask(dirty.mark_days, 2, date(2026, 3, 1), date(2026, 3, 3))
    assert ask(dirty.take_dirty, limit=4)
    energy = settled([1.0, math.nan, 3.0, 4.0, 5.5])
    energy.quality[2], energy.method[2] = "estimated", "interpolated"
    for start_us in (energy.start_us, settled([1.0] * 5, LONG_AGO).start_us):
        energy.start_us[:] = start_us
        ask(interval_store.store_intervals, 1, energy, settled_at=NOON + DAY)
    days = [settled_day(day) for day in (NOON.date(), LONG_AGO.date())]
    ask(interval_store.ensure_partitions, LONG_AGO, NOON)
    ask(settled_days.store_settled_days, 1, days)
    ask(verdicts.load_worst, [1], LONG_AGO.date(), NOON.date())
    ask(verdicts.load_broken, [1], LONG_AGO.date(), NOON.date(), rule="gap")
    ask(dirty.lock_point, 1)
    ask(dirty.wait_for_point, 1)
    ask(dirty.count_dirty, 1, LONG_AGO.date(), NOON.date())
    ask_about_edits(ask, energy.start_us)
    ask(judging.settled_to, 1)
    ask(intervals.settled_from, 1)
    ask(judging.lock_judged_to, 1)
    ask(judging.store_judged_to, 1, NOON + 5 * QUARTER)
    ask(judging.judge_again, 1, NOON + QUARTER)
    assert ask(judging.lock_judged_to, 1) == NOON + QUARTER
    ask(judging.judge_no_past, 1, NOON)
    ask(judging.judge_again, 1, LONG_AGO)
    assert ask(judging.lock_judged_to, 1) == NOON + QUARTER
    ask(judging.points_due, NOON + 5 * QUARTER)
    ask(judging.points_due, NOON + DAY)


def ask_about_edits(ask: Asking, start_us: np.ndarray) -> None:
    """Of the intervals of long ago, which are billed in between."""
    window, day = (LONG_AGO, LONG_AGO + DAY), LONG_AGO.date()
    said = {"by": "Li Wei", "at": NOON + DAY}
    values = EditedValues.of_import(start_us[:2], np.array([7.5, 8.0]))
    edit_id = ask(edits.store_edit, 1, values, reason="By hand", **said)
    assert len(ask(edit_records.load_edits, 1, *window)) == 2
    assert ask(edit_records.list_edits, 1, edit_id=edit_id)[0].import_kwh == 15.5
    assert ask(edit_records.edited_starts, edit_id).tolist() == start_us[:2].tolist()
    assert ask(trace.load_versions, 1, LONG_AGO)[0].version == 1
    assert ask(trace.load_meters_there, 1, *window)[0].serial == "ST-1"
    assert ask(trace.load_file_of, 1, LONG_AGO) is None
    ask(trace.load_refused_then, [1], *window)
    counts = ask(edit_records.load_active_edits, 1, *window)
    assert counts.start_us.tolist() == start_us[:2].tolist()
    ask(edits.refuse_billed, 1, start_us)
    bill_id = ask(bills.pin_bill, 1, day, day, as_of=NOON + DAY, by="Li Wei")
    ask(bills.load_bills, 1)
    assert ask(bills.load_billed_energy, bill_id)[0].import_kwh == 13.5
    assert ask(bills.load_billed_kwh, [bill_id]) == {bill_id: 13.5}
    assert ask(bills.after_bills, 1, NOON) > NOON + DAY
    assert ask(bill_changes.load_bill_changes) == []
    again = settled([1.25, 2.5], LONG_AGO)
    ask(interval_store.store_intervals, 1, again, settled_at=NOON + 2 * DAY)
    [changed] = ask(bill_changes.load_bill_changes, 1)
    # 1 kWh became 1.25, and what was missing 2.5.
    assert (changed.intervals, changed.change_kwh) == (2, 2.75)
    ask(bill_changes.load_bills_waiting)
    before = settled([1.0, math.nan], LONG_AGO)
    ask(interval_store.store_intervals, 1, before, settled_at=NOON + 3 * DAY)
    assert ask(bill_changes.load_bill_changes) == []
    ask(bills.withdraw_bill, bill_id, why="Wrong", **said)
    ask(edits.undo_edit, edit_id, why="Wrong", **said)
    assert ask(edit_records.load_active_edits, 1, *window) is None


def settled_day(day: date) -> settled_days.SettledDay:
    """A day on which a rule broke and another held."""
    begins_us = utc_us(NOON)
    verdicts = (
        Verdict(
            rule="gap",
            status=Status.FAIL,
            start_us=begins_us,
            stop_us=begins_us + 900_000_000,
            figures={"intervals": 1},
        ),
        Verdict(
            rule="cap", status=Status.PASS, start_us=begins_us, stop_us=begins_us + 1
        ),
    )
    return settled_days.SettledDay(
        local_day=day,
        ends_at=NOON,
        rules="usual",
        verdicts=verdicts,
        settled_at=NOON + DAY,
    )


ENTERED = """
    INSERT INTO multiplier_change (installation_id, since, multiplier, entered_by)
    VALUES (1, '2026-03-02 12:07Z', 7.5, 'Li Wei');
    INSERT INTO swap_reading (installation_id, quantity, opening_counts, entered_by)
    VALUES (1, 'energy_import_kwh', 17, 'Li Wei');
    INSERT INTO supply_outage (point_id, start, stop, kind, reason, entered_by,
                               entered_at)
    VALUES (1, '2026-03-02 13:00Z', '2026-03-02 14:00Z', 'planned', 'Works', 'Li Wei',
            '2026-03-02 12:00Z');
    INSERT INTO closure (account_id, local_day, reason, entered_by, entered_at)
    VALUES (1, '2026-03-02', 'Stocktaking', 'Li Wei', '2026-03-02 12:00Z');
    INSERT INTO rule_sets (definition, entered_by, entered_at)
    VALUES ('rule_sets = []', 'Li Wei', '2026-03-02 12:00Z');
"""


def ask_about_evidence(ask: Asking) -> None:
    ask.conn.execute(ENTERED)
    entered = ask(evidence.load_entered, 1)
    changed_at = NOON + timedelta(minutes=7)
    assert entered.multipliers == {1: [(changed_at, Fraction(15, 2))]}
    assert list(entered.swap_counts.values()) == [(17, None)]
    assert len(entered.outages) == 1
    assert entered.calendar.closures == {date(2026, 3, 2)}
    ask(evidence.load_standing, 1, NOON)
    assert entered.rule_sets == "rule_sets = []"
    energy = settled([1.0, math.nan, 3.0])
    own = meter_intervals.MeterIntervals(
        meter_id=1,
        start_us=energy.start_us,
        length_min=np.full(3, 15, dtype=np.int64),
        import_kwh=energy.import_kwh,
        export_kwh=energy.export_kwh,
        lagging_kvarh=energy.lagging_kvarh,
        leading_kvarh=energy.leading_kvarh,
        power_failure=np.array([False, True, False]),
    )
    insert = meter_intervals.insert_meter_intervals
    assert ask(insert, own, received_at=NOON + DAY) == 3
    assert ask(insert, own, received_at=NOON + 2 * DAY) == 0
    assert ask(meter_interval_store.store_recorded, own, NOON + 2 * DAY) == 0
    own.import_kwh[2] = 3.5
    assert ask(insert, own, received_at=NOON + 3 * DAY) == 1
    window = (NOON, NOON + DAY)
    again = ask(meter_intervals.load_meter_intervals, 1, *window)
    assert comparable(again) == comparable(own)


def store_old_chunks_by_column(conn) -> None:
    """As the policies do after 30 days; nothing to do on plain PostgreSQL."""
    if migrate.is_timescale(conn):
        for table in ("reading", "energy_interval"):
            conn.execute(
                "SELECT compress_chunk(c) FROM show_chunks(%s, older_than => %s) AS c",
                (table, NOON - 30 * DAY),
            )


def raise_an_alert(ask: Asking) -> None:
    said = {"who": "keywatt", "why": "below", "at": NOON}
    figures = {"load_kw": 12.5}
    named = {"kind": "deviation", "code": "below-band", "figures": figures}
    event_id = ask(alerts.open_alert, 1, **named, **said)
    ask(deliveries.note_news, ["crew", "mail"], NOON)
    ask(deliveries.channels_waiting, ["crew", "mail"], NOON)
    ask(deliveries.mark_failed, event_id, "mail", "the host is away", wait_s=60)
    ask(deliveries.next_untold, "crew", NOON)
    ask(deliveries.mark_delivered, event_id, "crew", NOON)
    assert ask(deliveries.next_untold, "crew", NOON) is None
    standing = ask(alerts.lock_standing_alert, 1, "deviation")
    ask(alerts.add_event, standing.alert_id, action="planned", **said)
    ask(alerts.set_state, standing.alert_id, "planned", NOON)
    ask(alerts.lock_alert, standing.alert_id)
    ends = {"starts_at": NOON, "ends_at": NOON + HOUR, "alert_id": standing.alert_id}
    ask(alerts.add_planned_change, 1, **ends, **said)
    ask(alerts.load_alerts, manager="Li Wei")
    named = {"kind": "gateway-silent", "code": "gateway-silent", "figures": {}}
    ask(site_alerts.open_site_alert, "10.0.0.1:502", **named, **said)
    assert ask(site_alerts.open_site_alert, "10.0.0.1:502", **named, **said) is None
    (gateway,) = ask(site_alerts.load_site_alerts)
    ask(site_alerts.lock_site_alert, gateway.alert_id)
    ask(alerts.load_events, standing.alert_id)
    ask(alerts.load_planned_changes, 1, NOON, NOON + DAY)
    ask(portfolio.load_alert_events, [standing.alert_id])


def ask_about_energy(ask: Asking) -> None:
    for start in (LONG_AGO, NOON):
        ask(readings.load_readings, 1, start + QUARTER, start + HOUR)
        ask(readings.load_sources, 1, start, start + DAY)
        ask(readings.load_gaps, 1, start, timedelta(minutes=1))
        ask(intervals.load_intervals, 1, start, start + DAY)
        ask(intervals.load_intervals, 1, start, start + DAY, as_of=NOON + DAY)
        ask(evidence.load_history, 1, start, start + DAY)
        ask(settled_days.load_settled_days, 1, start.date(), start.date())
        ask(intervals.load_hourly, 1, start, start + DAY)
        ask(intervals.load_daily, 1, (start - DAY).date(), (start + DAY).date())
    ask(rollups.load_monthly, [1, 2], LONG_AGO.date(), NOON.date())
    ask(portfolio.load_loads, [1, 2], LONG_AGO, NOON + DAY)
    ask(readings.load_newest, [1, 2])
    ask(stored.load_stored, ["ST-2", "none", "ST-1"])
    ask(portfolio.load_data_spans, [1, 2])
    ask(portfolio.load_newest_readings, [1, 2])
    ask(portfolio.load_unusual, [1, 2], LONG_AGO)


def ask_about_health(ask: Asking) -> None:
    ask(clocks.load_clock_hours, 1)
    ask(clocks.forget_drifts, NOON + DAY)
    ask(collector_beats.load_beats, NOON)
    ask(collector_beats.note_look, NOON, HOUR)
    ask(meter_troubles.load_troubles)
    ask(stated_multipliers.load_disagreements, NOON + DAY)
    ask(meter_interval_store.load_starts, 1, LONG_AGO, NOON + DAY)
    ask(meter_events.load_lasting, NOON)
    ask(meter_events.forget_events, NOON)
    ask(watching.load_watched, NOON + HOUR)
    ask(watching.load_watched, NOON + HOUR, 1)
    ask(watching.load_silences, 1, NOON)
    ask(health.load_server)
    ask(health.load_meter_health, NOON + HOUR)
    ask(health.load_outcomes, LONG_AGO)
    ask(health.load_refused, NOON)
    assert ask(health.load_backlog).days > 0
    ask(meter_counts.load_tallies, NOON - HOUR)
    ask(meter_counts.fold_meter_counts)
    ask_what_was_missing(ask)
    ask(meter_counts.add_failed, meter_counts.no_counts(), "modbus")


def ask_about_files(ask: Asking) -> None:
    ask(imports.lock_imports)
    ask(imports.load_sittings, 1)
    assert len(ask(imports.load_sittings, 2, "ST-2")) == 1
    rows = {"rows_new": 3, "rows_changed": 2, "rows_same": 1}
    named = {"name": "a.csv", "sha256": "ab" * 32, "content": "registers"}
    of = {"point_id": 1, "starts_at": LONG_AGO, "stops_at": NOON + HOUR}
    who = {"imported_by": "Li Wei", "imported_at": NOON, "import_kwh": None}
    import_id = ask(imports.store_file, **who, **of, **named, **rows)
    assert ask(imports.find_imported, named["sha256"]).import_id == import_id
    for start in (NOON, LONG_AGO):
        again = batch(3, start=start + QUARTER)
        before = ask(readings.load_readings, 1, start, start + DAY)
        ask(imports.store_readings, again, import_id=import_id)
        ask(readings.load_readings, 1, start, start + DAY)
        ask(exports.load_settled, 1, start, start + DAY)
        ask(exports.load_settled, 1, start, start + DAY, NOON + DAY)
    undone, days = ask(
        import_undo.undo_import, import_id, why="Wrong", by="anna", at=NOON + 4 * DAY
    )
    assert days == (LONG_AGO.date(), NOON.date())
    assert ask(import_records.list_imports, 1) == [undone]
    assert ask(import_records.list_undone, 1, LONG_AGO, LONG_AGO + DAY) == [undone]
    after = ask(readings.load_readings, 1, LONG_AGO, LONG_AGO + DAY)
    np.testing.assert_array_equal(after.values, before.values)


def ask_what_was_missing(ask: Asking) -> None:
    """Ask about what became of intervals, and of what was around them."""
    hours_us = np.array([utc_us(NOON), utc_us(NOON + HOUR)])
    ask(completeness.load_settled_runs, [1, 2], LONG_AGO, NOON + DAY)
    ask(completeness.load_beginnings, [1, 2])
    ask(completeness.is_dirty, 1, NOON.date())
    ask(circumstances.load_sittings, [1, 2])
    ask(circumstances.load_no_supply, [1, 2], LONG_AGO, NOON + DAY)
    ask(circumstances.load_doubts, [1, 2], LONG_AGO.date(), NOON.date() + DAY)
    ask(circumstances.load_meter_hours, {1, 2}, hours_us)
    ask(circumstances.load_refused, {1, 2}, NOON - HOUR, NOON + DAY)
    ask(circumstances.load_idle_hours, hours_us + 3_600_000_000)
    ask(circumstances.load_without_register, np.array([1, 1]), hours_us)


def functions_that_ask() -> set[str]:
    """Every public function of storage that takes a connection."""
    modules = [m.name for m in pkgutil.iter_modules(storage.__path__)]
    return {
        f"{module}.{name}"
        for module in modules
        for name, function in vars(import_module(f"storage.{module}")).items()
        if inspect.isfunction(function)
        and function.__module__ == f"storage.{module}"
        and not name.startswith("_")
        and "conn" in inspect.signature(function).parameters
    }


@pytest.fixture
def plain_answers(plain_database: str) -> Answers:
    return told(Store(plain_database))


def test_both_servers_give_the_same_answers(plain_answers, timescale: Store) -> None:
    answers = told(timescale)
    assert answers.keys() | WITHIN.keys() == functions_that_ask()
    for name in answers.keys() - DIFFERS - {"health.load_backlog"}:
        assert answers[name] == plain_answers[name], name


def test_a_day_and_its_points_are_as_worked_by_hand(store: Store) -> None:
    answers = told(store)
    # 16 + 9 readings, 8 of the last again; the last of the 9 is at 14:00.
    assert answers["portfolio.load_newest_readings"][0] == {1: NOON + 8 * QUARTER}
    assert answers["portfolio.load_data_spans"][0] == {
        1: [LONG_AGO, NOON + 5 * QUARTER],
        2: [None, None],
    }
    (load,) = answers["portfolio.load_loads"][0].values()
    # A quarter-hour of 1 kWh is 4 kW; once long ago and once now.
    kw = [4, math.nan, 12, 16, 22] * 2
    assert load["load_kw"] == comparable(np.array(kw))
    assert load["estimated"] == comparable(
        np.array([False, False, True, False, False] * 2)
    )
    outcomes = answers["health.load_outcomes"][0]
    assert {o["outcome"]: o["readings"] for o in outcomes} == {
        "not-json": 2,
        "repeated": 8,
        "stored": 17,
    }
    spans = answers["portfolio.load_unusual"][0]
    planned = sorted(s["ends_at"] for s in spans if s["planned"])
    assert [s["ends_at"] for s in spans if not s["planned"]] == [None]
    # A planned change, and two outages: the third was taken back.
    assert planned == [NOON + HOUR, NOON + HOUR, NOON + 2 * HOUR]
