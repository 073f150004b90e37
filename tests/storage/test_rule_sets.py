import tomllib
from datetime import date, timedelta

import pytest

from analytics.settlement.ruleset import Rules, RuleSetError, rule_sets_of
from storage.database import connect
from storage.master import apply_site
from storage.rule_sets import (
    USUAL,
    AppliedRules,
    apply_rule_sets,
    first_difference,
    load_rule_sets,
    rules_on,
)
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (1, 3, 5))


def toml(*sets: str) -> str:
    return "\n".join(f"[[rule_sets]]\n{one}" for one in sets)


def read(text: str):
    return rule_sets_of(tomllib.loads(text), "rules.toml")


STANDARD = 'code = "standard"\nvalid_from = 2026-03-01\nrules = { spike.ratio = 2.5 }'
STRICT = 'code = "strict"\nvalid_from = 2026-03-05\nrules = { spike.ratio = 1.5 }'
FOR_HALL = f'{STANDARD}\npoints = {{ Hall.spike.severity = "warn" }}'


@pytest.fixture
def stored(store: Store):
    """Two points with readings of 28 February to 6 March, in Shanghai."""
    with connect(store.url) as conn:
        two = [point(meter("A")), point(meter("B"), name="Hall")]
        apply_site(conn, site(points=two), NOON)
    for meter_id in (1, 2):
        hours = batch(
            7 * 24, meter_id=meter_id, start=NOON - 2 * DAY - 20 * HOUR, every=HOUR
        )
        write(store, hours)
    with connect(store.url) as conn:
        conn.execute("DELETE FROM touched")
        conn.execute("DELETE FROM dirty_point_day")
        yield conn


def marked(conn) -> list[tuple[int, str]]:
    rows = conn.execute(
        "DELETE FROM dirty_point_day RETURNING point_id, to_char(local_day, 'MM-DD')"
    ).fetchall()
    return sorted(rows)


def test_rule_sets_are_kept_as_they_were_entered(stored) -> None:
    assert load_rule_sets(stored) is None
    text = toml(STANDARD) + "  # with its remarks\n"
    done = apply_rule_sets(stored, text, read(text), by="anna", now=NOON)
    # 28 February is before; of 1 to 6 March there are 6 days at each of two points.
    assert done == AppliedRules(is_new=True, since=FIRST, points=2, days=12)
    found = load_rule_sets(stored)
    assert (found.definition, found.rule_sets) == (text, read(text))
    assert (found.entered_by, found.entered_at) == ("anna", NOON)
    days = [f"03-0{day}" for day in range(1, 7)]
    assert marked(stored) == [(place, day) for place in (1, 2) for day in days]


def test_the_same_again_writes_nothing(stored) -> None:
    text = toml(STANDARD)
    apply_rule_sets(stored, text, read(text), by="anna", now=NOON)
    marked(stored)
    done = apply_rule_sets(stored, text, read(text), by="ben", now=NOON + DAY)
    assert done == AppliedRules(is_new=False, since=None, points=0, days=0)
    assert stored.execute("SELECT count(*) FROM rule_sets").fetchone() == (1,)
    # Another remark is kept, but judges no day otherwise.
    text += "\n# as agreed in May"
    done = apply_rule_sets(stored, text, read(text), by="ben", now=NOON + DAY)
    assert done == AppliedRules(is_new=True, since=None, points=0, days=0)
    assert load_rule_sets(stored).entered_by == "ben"
    assert marked(stored) == []


def test_what_differs_at_one_point_bears_on_that_point_alone(stored) -> None:
    apply_rule_sets(stored, toml(STANDARD), read(toml(STANDARD)), by="anna", now=NOON)
    marked(stored)
    text = toml(FOR_HALL)
    done = apply_rule_sets(stored, text, read(text), by="anna", now=NOON)
    assert (done.points, done.days) == (1, 6)
    assert {place for place, _ in marked(stored)} == {2}


def test_a_point_named_with_its_account_is_that_one_alone(stored) -> None:
    # Two points called Hall: that of "steel", number 2, and that of "mill", number 3.
    stored.execute(
        """
        INSERT INTO account (code, name, sector, time_zone, country, manager, currency)
        SELECT 'mill', 'Mill', sector, time_zone, country, manager, currency
          FROM account;
        INSERT INTO point (account_id, name) VALUES (2, 'Hall');
        INSERT INTO energy_interval (
            point_id, start, length_min, import_kwh, quality, settled_at)
        VALUES (3, '2026-03-02 12:00Z', 15, 1, 'measured', now());
        """
    )
    apply_rule_sets(stored, toml(STANDARD), read(toml(STANDARD)), by="anna", now=NOON)
    marked(stored)
    text = toml(FOR_HALL.replace("Hall", '"steel/Hall"'))
    done = apply_rule_sets(stored, text, read(text), by="anna", now=NOON)
    assert done.points == 1
    assert {place for place, _ in marked(stored)} == {2}
    # By the name alone it is both: the other one is judged otherwise now.
    text = toml(FOR_HALL)
    done = apply_rule_sets(stored, text, read(text), by="anna", now=NOON)
    assert done.points == 1
    assert {place for place, _ in marked(stored)} == {3}
    for stranger in ("mill/Main supply", "stee/Hall", "steel/"):
        text = toml(FOR_HALL.replace("Hall", f'"{stranger}"'))
        with pytest.raises(RuleSetError, match=f"names point {stranger}, which no"):
            apply_rule_sets(stored, text, read(text), by="anna")


def test_the_account_has_the_last_word() -> None:
    both = f"""{STANDARD}
    points.Hall.spike = {{ severity = "warn", ratio = 2.0 }}
    points."steel/Hall".spike.ratio = 3.0
    """
    sets = read(toml(both))
    _, at_steel = rules_on(sets, FIRST, "Hall", "steel")
    _, at_mill = rules_on(sets, FIRST, "Hall", "mill")
    assert (at_steel.spike.severity.value, at_steel.spike.ratio) == ("warn", 3.0)
    assert (at_mill.spike.severity.value, at_mill.spike.ratio) == ("warn", 2.0)


def test_a_later_set_bears_on_the_days_from_then_on(stored) -> None:
    apply_rule_sets(stored, toml(STANDARD), read(toml(STANDARD)), by="anna", now=NOON)
    marked(stored)
    text = toml(STANDARD, STRICT)
    done = apply_rule_sets(stored, text, read(text), by="anna", now=NOON)
    assert (done.since, done.days) == (THIRD, 4)
    assert marked(stored) == [(p, d) for p in (1, 2) for d in ("03-05", "03-06")]


def test_days_without_readings_any_more_are_left_alone(stored) -> None:
    later = NOON.replace(year=2027, month=4) + 2 * DAY
    done = apply_rule_sets(
        stored, toml(STANDARD), read(toml(STANDARD)), by="anna", now=later
    )
    # 13 months before are 4 March; a day more may be settled, so the 5th and the 6th.
    assert (done.since, done.days) == (FIRST, 4)


def test_a_point_that_there_is_not_is_refused(stored) -> None:
    text = toml(FOR_HALL.replace("Hall", "Hal"))
    with pytest.raises(RuleSetError, match="standard names point Hal, which no"):
        apply_rule_sets(stored, text, read(text), by="anna")
    assert load_rule_sets(stored) is None


def test_the_rules_of_a_day_and_of_a_point() -> None:
    sets = read(toml(FOR_HALL, STRICT))
    assert rules_on(None, FIRST) == rules_on(sets, FIRST - DAY) == (USUAL, Rules())
    code, rules = rules_on(sets, FIRST, "Hall")
    assert (code, rules.spike.severity.value, rules.spike.ratio) == (
        "standard",
        "warn",
        2.5,
    )
    assert rules_on(sets, FIRST)[1].spike.severity.value == "fail"
    assert rules_on(sets, THIRD, "Hall")[0] == "strict"


def test_when_a_point_is_first_judged_otherwise() -> None:
    standard, both = read(toml(STANDARD)), read(toml(STANDARD, STRICT))
    assert first_difference(None, standard, "Hall") == FIRST
    assert first_difference(standard, standard, "Hall") is None
    assert first_difference(standard, both, "Hall") == THIRD
    assert first_difference(both, standard, "Hall") == THIRD
    # The same rules under another name: the name stands beside every verdict.
    renamed = read(toml(STANDARD.replace("standard", "other")))
    assert first_difference(standard, renamed, "Hall") == FIRST
    # Saying a default is saying nothing.
    said = read(toml(f"{STANDARD[:-1]}, gap = {{ severity = 'fail' }} }}"))
    assert first_difference(standard, said, "Hall") is None
    # What begins two days later holds two days less.
    shifted = read(toml(STANDARD.replace("03-01", "03-03")))
    assert first_difference(standard, shifted, "Hall") == FIRST
