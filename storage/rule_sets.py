"""Rule sets of validation as people enter them; the newest counts.

Errors: `analytics.settlement.ruleset.RuleSetError`, one sentence.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.calendar import SiteCalendar
from analytics.settlement.ruleset import Rules, RuleSetError, RuleSets, rule_sets_of
from storage.marking import mark_time
from storage.master import load_accounts, load_points

USUAL = "usual"
"""Code of the rules where none were entered: all defaults."""
_FOREIGN = "The rule sets in the database"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRules:
    """The rule sets that count."""

    definition: str
    """TOML, as it was entered."""
    rule_sets: RuleSets
    entered_by: str
    entered_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedRules:
    """What entering rule sets changed."""

    is_new: bool
    """False: the same counted already, and nothing was written."""
    since: date | None
    """First day that is judged otherwise; None = none is."""
    points: int
    """At how many points."""
    days: int
    """How many point-days are settled again; older ones have no readings any more."""


SELECT_RULES = """
    SELECT definition, entered_by, entered_at
      FROM rule_sets
     ORDER BY rule_sets_id DESC LIMIT 1
"""
INSERT_RULES = """
    INSERT INTO rule_sets (definition, entered_by, entered_at)
    VALUES (%(definition)s, %(by)s, coalesce(%(now)s, now()))
"""
# Two who enter at once wait for each other: each compares with what counts.
LOCK_RULES = "LOCK TABLE rule_sets IN SHARE ROW EXCLUSIVE MODE"


def load_rule_sets(conn: Connection[TupleRow]) -> StoredRules | None:
    """Return the rule sets that count; None = none were entered."""
    row = conn.execute(SELECT_RULES).fetchone()
    if row is None:
        return None
    definition, entered_by, entered_at = row
    return StoredRules(
        definition=definition,
        rule_sets=rule_sets_of(tomllib.loads(definition), _FOREIGN),
        entered_by=entered_by,
        entered_at=entered_at,
    )


def apply_rule_sets(
    conn: Connection[TupleRow],
    definition: str,
    rule_sets: RuleSets,
    *,
    by: str,
    now: datetime | None = None,
) -> AppliedRules:
    """Let these rule sets count from now on.

    Days from the first on that is judged otherwise are settled again, at each point
    for which that is so.

    Parameters
    ----------
    conn : Connection
    definition : str
        TOML, as it was entered.
    rule_sets : RuleSets
        What it says.
    by : str
        Who enters it.
    now : datetime or None
        None: the server's.

    Raises
    ------
    RuleSetError
        A point is named that there is not; nothing is stored then.

    """
    with conn.transaction():
        conn.execute(LOCK_RULES)
        _refuse_strangers(conn, rule_sets)
        stored = load_rule_sets(conn)
        if stored is not None and stored.definition == definition:
            return AppliedRules(is_new=False, since=None, points=0, days=0)
        said = {"definition": definition, "by": by, "now": now}
        conn.execute(INSERT_RULES, said)
        before = None if stored is None else stored.rule_sets
        return _mark(conn, before, rule_sets, now)


def _refuse_strangers(conn: Connection[TupleRow], rule_sets: RuleSets) -> None:
    known = point_names(conn)
    for one in rule_sets.rule_sets:
        for name in one.points:
            if name not in known:
                there = ", ".join(known) or "none yet"
                raise RuleSetError(
                    f"Rule set {one.code} names point {name}, which no account has;"
                    f" there are: {there}."
                )


def point_names(conn: Connection[TupleRow]) -> list[str]:
    """Return the names that points have, each once."""
    return sorted({point.name for point in load_points(conn)})


def _mark(
    conn: Connection[TupleRow],
    before: RuleSets | None,
    after: RuleSets,
    now: datetime | None,
) -> AppliedRules:
    calendars = {
        account.account_id: SiteCalendar(account.time_zone, account.country)
        for account in load_accounts(conn)
    }
    turns: list[date] = []
    marked = 0
    for point in load_points(conn):
        turn = first_difference(before, after, point.name)
        if turn is not None:
            turns.append(turn)
            start, _ = calendars[point.account_id].day_bounds(turn)
            marked += mark_time(conn, point.point_id, start, None, now)
    since = min(turns, default=None)
    return AppliedRules(is_new=True, since=since, points=len(turns), days=marked)


def first_difference(
    before: RuleSets | None, after: RuleSets, point: str
) -> date | None:
    """Return the first day on which a point is judged otherwise; None = never."""
    turns = {
        one.valid_from for sets in (before, after) if sets for one in sets.rule_sets
    }
    for day in sorted(turns):
        was, is_ = rules_on(before, day, point), rules_on(after, day, point)
        if (was[0], was[1].model_dump()) != (is_[0], is_[1].model_dump()):
            return day
    return None


def rules_on(
    rule_sets: RuleSets | None, day: date, point: str | None = None
) -> tuple[str, Rules]:
    """Return the code and the rules that hold on a day, at a point or in general."""
    if rule_sets is None or all(s.valid_from > day for s in rule_sets.rule_sets):
        return USUAL, Rules()
    found = rule_sets.in_force(day)
    return found.code, found.rules if point is None else found.of_point(point)
