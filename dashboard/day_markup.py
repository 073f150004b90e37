"""HTML of one day of the ledger, as pure functions: values in, escaped text out."""

from html import escape

from dashboard.ledger_charts import QUALITY_COLOUR
from dashboard.ledger_parts import (
    dot,
    interval_name,
    link,
    status_tag,
    table,
    way,
    whole,
)
from dashboard.phrase import note, said
from meters.reading import from_utc_us
from reports.day_ledger import DayDetail
from reports.ledger_wording import facts_told, kind_told, named
from reports.wording import sentence
from reports.writing import ABSENT, Reader, clock, energy


def beside(detail: DayDetail, reader: Reader) -> str:
    """Link to the days before and after."""
    code, name = detail.account.code, detail.point.name
    before = link(code, name, detail.before)
    ways = [way(before, f"‹ {said('day-before', reader)}")]
    if detail.after is not None:
        after = link(code, name, detail.after)
        ways.append(way(after, f"{said('day-after', reader)} ›"))
    return f'<div class="kw-ways">{"".join(ways)}</div>'


def beside_interval(detail: DayDetail, place: int, reader: Reader) -> str:
    """Link to the intervals before and after, and back to the day alone."""
    code, name, on = detail.account.code, detail.point.name, detail.local_day

    def at(other: int, form: str) -> str:
        start = detail.lines[other].start
        address = link(code, name, on, interval=interval_name(start))
        return way(address, form.format(clock(start, reader)))

    ways = [] if place == 0 else [at(place - 1, "‹ {}")]
    if place + 1 < len(detail.lines):
        ways.append(at(place + 1, "{} ›"))
    ways.append(way(link(code, name, on), said("interval-close", reader)))
    return f'<div class="kw-ways">{"".join(ways)}</div>'


def sums(detail: DayDetail, reader: Reader) -> str:
    """Say of a day how many of its intervals became what; they sum to all."""
    rows = [
        (
            dot(QUALITY_COLOUR[one.kind.category])
            + escape(kind_told(one.kind, reader)),
            str(one.intervals),
            ABSENT if one.import_kwh is None else energy(one.import_kwh),
        )
        for one in detail.counts
    ]
    total = (
        f"<b>{said('figure-expected-all', reader)}</b>",
        f"<b>{detail.expected}</b>",
        f"<b>{energy(detail.energy_kwh)}</b>",
    )
    heads = ("table-what", "table-intervals", "table-energy-kwh")
    return table(heads, [*rows, total], reader, numbers=(1, 2), wide=(0,))


def rules(detail: DayDetail, reader: Reader) -> str:
    """Say which rules were broken on a day, when, with the figures."""
    if detail.rules is None:
        return note("day-not-judged", reader)
    by = note("rules-by", reader, rules=detail.rules)
    if not detail.broken:
        return note("day-rules-none", reader) + by
    rows = [
        (
            escape(named("rule", one.rule, reader)),
            status_tag(one.status.name.lower(), reader),
            whole(_when(one.start_us, one.stop_us, reader)),
            escape(", ".join(facts_told(one.figures, reader))),
        )
        for one in detail.broken
    ]
    heads = ("table-rule", "table-verdict", "table-when", "table-figures")
    return table(heads, rows, reader, wide=(3,)) + by


def _when(start_us: int, stop_us: int, reader: Reader) -> str:
    from_time, to_time = (clock(from_utc_us(us), reader) for us in (start_us, stop_us))
    figures = {"from_time": from_time, "to_time": to_time}
    return sentence("interval-title", figures, reader)
