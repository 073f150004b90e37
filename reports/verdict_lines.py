"""Broken rules in words, and line by line for scripts. Pure."""

from meters.reading import from_utc_us
from reports.ledger_wording import facts_told
from reports.texts import text
from reports.verdicts import BrokenRule, Verdicts
from reports.wording import sentence
from reports.writing import Reader, clock


def when_told(one: BrokenRule, reader: Reader) -> str:
    """Say when on its day a rule was broken, first of all."""
    if one.is_whole_day:
        return text("verdict-all-day", reader.language)
    start, stop = one.first_span
    figures = {"from_time": clock(start, reader), "to_time": clock(stop, reader)}
    times = len(one.verdicts)
    if times == 1:
        return sentence("interval-title", figures, reader)
    return sentence("verdict-first-of", figures | {"n": times}, reader)


def figures_told(one: BrokenRule, reader: Reader) -> str:
    """Write the figures that led to it."""
    return ", ".join(facts_told(one.figures, reader))


def as_json(found: Verdicts) -> dict[str, object]:
    """Return what was found as a script reads it: every verdict with its figures."""
    return {
        "first_day": found.first_day.isoformat(),
        "last_day": found.last_day.isoformat(),
        "judged": found.judged,
        "failed": found.failed,
        "verdicts": [
            {
                "account": one.account.code,
                "point": one.point.name,
                "local_day": one.local_day.isoformat(),
                "rule": each.rule,
                "severity": each.status.name.lower(),
                "start": from_utc_us(each.start_us).isoformat(),
                "stop": from_utc_us(each.stop_us).isoformat(),
                "figures": dict(each.figures),
            }
            for one in found.broken
            for each in one.verdicts
        ],
    }
