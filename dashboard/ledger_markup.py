"""HTML of the completeness ledger, as pure functions: values in, escaped text out."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape
from urllib.parse import urlencode

from accounts.account import Account
from analytics.completeness.cause import Cause
from analytics.completeness.ledger import Category, Unsettled
from dashboard import theme
from dashboard.figures import Shown
from dashboard.ledger_charts import QUALITY_COLOUR
from dashboard.markup import KeyItem, key
from dashboard.phrase import note, said
from meters.reading import from_utc_us
from reports.completeness_views import AllCompleteness, Completeness, Counted, DayLedger
from reports.day_ledger import DayDetail
from reports.ledger_wording import cause_told, facts_told, kind_told, named, share_told
from reports.texts import text
from reports.wording import sentence
from reports.writing import ABSENT, Reader, clock, day, energy

_MOST_DAYS = 12
_KNOWN = (Category.MEASURED, Category.EDITED, Category.ESTIMATED)


def link(account: str, point: str = "", on: date | None = None, **more: str) -> str:
    """Address of the page, relative to the others, for one account, point and day."""
    asked = {"account": account, "point": point, "day": "" if on is None else str(on)}
    given = {name: value for name, value in (asked | more).items() if value}
    return f"completeness?{urlencode(given)}"


def interval_name(start: datetime) -> str:
    """Name an interval in an address: in UTC, for an hour may come twice."""
    return start.strftime("%Y-%m-%dT%H:%MZ")


def figures_of(of: Counted, reader: Reader) -> tuple[Shown, ...]:
    """Sum up a period: what is due, and what became of it."""

    def shown(category: Category, note_told: str) -> Shown:
        name = text(f"category-{category}", reader.language)
        return Shown(label=name, value=share_told(of.percent(category)), note=note_told)

    n = {"n": f"{of.of(Category.MEASURED):,}"}
    return (
        Shown(
            label=text("figure-expected", reader.language),
            value=f"{of.due:,}",
            note=_not_settled(of, reader),
        ),
        shown(Category.MEASURED, sentence("figure-quarter-hours", n, reader)),
        shown(Category.ESTIMATED, _mostly(of, Category.ESTIMATED, reader)),
        shown(
            Category.MISSING,
            _mostly(of, Category.MISSING, reader)
            or text("figure-all-known", reader.language),
        ),
    )


def _not_settled(of: Counted, reader: Reader) -> str:
    """Say how much waits, or was never read."""
    told = [
        sentence(code, {"n": f"{n:,}"}, reader)
        for why, code in (
            (Unsettled.WAITING, "figure-waiting-settled"),
            (Unsettled.NOT_BEGUN, "figure-not-begun"),
        )
        if (n := of.of(Category.NOT_SETTLED, why))
    ]
    return ", ".join(told) or text("figure-quarter-hours-all", reader.language)


def _mostly(of: Counted, category: Category, reader: Reader) -> str:
    """Name why most of a category is so, where it was a meter's matter."""
    causes = (kind for kind, _ in of.causes(category))
    kind = next((one for one in causes if one.cause != Cause.NOT_INSTALLED), None)
    if kind is None:
        return ""
    return sentence("figure-mostly", {"why": cause_told(kind, reader)}, reader)


def bar(of: Counted) -> str:
    """Show shares side by side, as wide as they are."""
    parts = "".join(
        f'<span style="width:{of.percent(category):.3f}%;'
        f'background:{QUALITY_COLOUR[category]}"></span>'
        for category in Category
        if of.due and of.percent(category)
    )
    return f'<div class="kw-bar kw-thin">{parts}</div>'


def key_of_categories(of: Counted, reader: Reader) -> str:
    """Explain the colours of the quarter-hours that there are."""
    return key(
        KeyItem(name=text(f"category-{category}", reader.language), colour=colour)
        for category, colour in QUALITY_COLOUR.items()
        if of.of(category)
    )


def key_of_days(reader: Reader) -> str:
    """Explain the colours of days."""
    meanings = (
        ((theme.COMPLETE_DAY,), "calendar-complete"),
        (theme.ESTIMATED_DAY, "calendar-estimated"),
        (theme.MISSING_DAY, "calendar-missing"),
        ((theme.WAITING,), "calendar-waiting"),
        ((theme.NOTHING_DAY,), "calendar-nothing"),
    )
    told = "".join(
        f"<span>{''.join(_swatch(colour) for colour in colours)}"
        f"{said(code, reader)}</span>"
        for colours, code in meanings
    )
    return f'<div class="kw-key kw-days">{told}</div>'


def _swatch(colour: str) -> str:
    return f'<i class="kw-area" style="color:{colour}"></i>'


def head(title: str, sub: str, back: tuple[str, str] | None) -> str:
    """Title of a view, what it is, and the way back."""
    way = ""
    if back is not None:
        address, told = back
        way = f'<a class="kw-back" href="{escape(address)}" target="_self">‹ {told}</a>'
    return f'{way}<h1>{title}</h1><div class="kw-sub">{sub}</div>'


def accounts(found: AllCompleteness, reader: Reader) -> str:
    """List accounts, those that lack most first; one link a row."""
    heads = ["table-account", "table-share", "category-measured"]
    heads += ["category-estimated", "category-missing", "table-because"]
    rows = (_account_row(one, reader) for one in found.accounts)
    return table(heads, rows, reader, numbers=(2, 3, 4), wide=(5,))


def _account_row(one: Completeness, reader: Reader) -> Sequence[str]:
    return (
        anchor(link(one.account.code), one.account.name),
        bar(one),
        share_told(one.percent(Category.MEASURED)),
        share_told(one.percent(Category.ESTIMATED)),
        share_told(one.percent(Category.MISSING)),
        escape(_because(one, reader)),
    )


def _because(of: Counted, reader: Reader) -> str:
    return "" if of.main_cause is None else cause_told(of.main_cause, reader)


def beside(detail: DayDetail, reader: Reader) -> str:
    """Link to the days before and after."""
    code, name = detail.account.code, detail.point.name
    before = link(code, name, detail.before)
    ways = [_way(before, f"‹ {said('day-before', reader)}")]
    if detail.after is not None:
        after = link(code, name, detail.after)
        ways.append(_way(after, f"{said('day-after', reader)} ›"))
    return f'<div class="kw-ways">{"".join(ways)}</div>'


def beside_interval(detail: DayDetail, place: int, reader: Reader) -> str:
    """Link to the intervals before and after, and back to the day alone."""
    code, name, on = detail.account.code, detail.point.name, detail.local_day

    def way(other: int, form: str) -> str:
        start = detail.lines[other].start
        address = link(code, name, on, interval=interval_name(start))
        return _way(address, form.format(clock(start, reader)))

    ways = [] if place == 0 else [way(place - 1, "‹ {}")]
    if place + 1 < len(detail.lines):
        ways.append(way(place + 1, "{} ›"))
    ways.append(_way(link(code, name, on), said("interval-close", reader)))
    return f'<div class="kw-ways">{"".join(ways)}</div>'


def _way(address: str, told: str) -> str:
    return f'<a class="kw-back" href="{escape(address)}" target="_self">{told}</a>'


def anchor(address: str, told: str) -> str:
    """Link within the pages."""
    return f'<a href="{escape(address)}" target="_self">{escape(told)}</a>'


def worst_days(
    account: Account, days: Iterable[tuple[str, DayLedger]], reader: Reader
) -> str:
    """List the days that lack most, of points by name; one link a row."""
    lacking = [(name, one) for name, one in days if one.lost or one.guessed]
    if not lacking:
        return note("worst-days-none", reader)
    lacking.sort(key=lambda each: (-each[1].lost, -each[1].guessed))
    rows = (
        (
            anchor(link(account.code, name, one.local_day), day(one.local_day, reader)),
            escape(name),
            f"{sum(one.of(category) for category in _KNOWN)} / {one.expected}",
            str(one.of(Category.MISSING)),
            str(one.of(Category.ESTIMATED)),
            escape(_because(one, reader)),
        )
        for name, one in lacking[:_MOST_DAYS]
    )
    heads = ["table-day", "table-point", "table-known", "table-missing"]
    heads += ["table-estimated", "table-because"]
    return table(heads, rows, reader, numbers=(2, 3, 4), wide=(5,))


def day_sums(detail: DayDetail, reader: Reader) -> str:
    """Say of a day how many of its intervals became what; they sum to all."""
    rows = [
        (
            _swatched(QUALITY_COLOUR[one.kind.category])
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


def _swatched(colour: str) -> str:
    return f'<i class="kw-dot" style="background:{colour}"></i>'


def day_rules(detail: DayDetail, reader: Reader) -> str:
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


def status_tag(status: str, reader: Reader) -> str:
    """Name how a rule was met in a small coloured label."""
    told = said(f"status-{status}", reader)
    return f'<span class="kw-tag kw-status-{status}">{told}</span>'


def _when(start_us: int, stop_us: int, reader: Reader) -> str:
    from_time, to_time = (clock(from_utc_us(us), reader) for us in (start_us, stop_us))
    figures = {"from_time": from_time, "to_time": to_time}
    return sentence("interval-title", figures, reader)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    reader: Reader,
    *,
    numbers: Sequence[int] = (),
    wide: Sequence[int] = (),
) -> str:
    """Lay out a table of cells that are HTML already.

    Parameters
    ----------
    heads
        Codes of the texts above its columns.
    rows
    reader : Reader
    numbers
        Columns that stand to the right.
    wide
        Columns of sentences, which a narrow window must not squeeze.

    """
    kinds = dict.fromkeys(numbers, "kw-n") | dict.fromkeys(wide, "kw-w")

    def cells(tag: str, row: Iterable[str]) -> str:
        return "".join(
            f'<{tag} class="{kinds.get(i, "")}">{cell}</{tag}>'
            for i, cell in enumerate(row)
        )

    head_row = cells("th", (said(code, reader) if code else "" for code in heads))
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        '<div class="kw-scroll"><table class="kw-table">'
        f"<tr>{head_row}</tr>{body}</table></div>"
    )


def whole(told: str) -> str:
    """Keep a cell's text in one line."""
    return f'<span class="kw-whole">{escape(told)}</span>'
