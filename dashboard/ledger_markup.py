"""HTML of the completeness ledger, as pure functions: values in, escaped text out."""

from collections.abc import Iterable, Sequence
from html import escape

from accounts.account import Account
from analytics.completeness.cause import Cause
from analytics.completeness.ledger import Category, Unsettled
from dashboard import theme
from dashboard.figures import Shown
from dashboard.ledger_charts import FAILED_MARK, QUALITY_COLOUR
from dashboard.ledger_parts import (
    anchor,
    bar,
    interval_name,
    link,
    status_tag,
    swatch,
    table,
    whole,
)
from dashboard.markup import KeyItem, key
from dashboard.phrase import note, said
from reports.completeness_views import (
    AllCompleteness,
    Completeness,
    Counted,
    DayLedger,
    PointLedger,
)
from reports.ledger_wording import cause_told, named, share_told
from reports.texts import text
from reports.verdict_lines import figures_told, when_told
from reports.verdicts import BrokenRule, Verdicts
from reports.wording import sentence
from reports.writing import Reader, day

_MOST_DAYS = 12
_MOST_BROKEN = 200
"""More lines than anybody reads; the command line has them all."""
_KNOWN = (Category.MEASURED, Category.EDITED, Category.ESTIMATED)


def figures_of(of: Counted, reader: Reader) -> tuple[Shown, ...]:
    """Sum up a period: what is due, and what became of it."""

    def shown(category: Category, note_told: str) -> Shown:
        name = text(f"category-{category}", reader.language)
        return Shown(label=name, value=share_told(of.percent(category)), note=note_told)

    def counted(category: Category) -> str:
        n = {"n": f"{of.of(category):,}"}
        return sentence("figure-quarter-hours", n, reader)

    return (
        Shown(
            label=text("figure-expected", reader.language),
            value=f"{of.due:,}",
            note=_not_settled(of, reader),
        ),
        shown(Category.MEASURED, counted(Category.MEASURED)),
        shown(Category.ESTIMATED, _mostly(of, Category.ESTIMATED, reader)),
        shown(Category.EDITED, counted(Category.EDITED)),
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


def key_of_categories(of: Counted, reader: Reader) -> str:
    """Explain the colours of the quarter-hours that there are."""
    return key(
        KeyItem(name=text(f"category-{category}", reader.language), colour=colour)
        for category, colour in QUALITY_COLOUR.items()
        if of.of(category)
    )


def key_of_days(point: PointLedger, reader: Reader) -> str:
    """Explain the colours of days and their mark, with how many bear it."""
    meanings = (
        ((theme.COMPLETE_DAY,), "calendar-complete"),
        (theme.ESTIMATED_DAY, "calendar-estimated"),
        (theme.MISSING_DAY, "calendar-missing"),
        ((theme.WAITING,), "calendar-waiting"),
        ((theme.NOTHING_DAY,), "calendar-nothing"),
    )
    told = "".join(
        f"<span>{''.join(swatch(colour) for colour in colours)}"
        f"{said(code, reader)}</span>"
        for colours, code in meanings
    )
    failed = said("calendar-failed", reader, n=point.failed_days)
    told += f"<span><b>{FAILED_MARK}</b>{failed}</span>"
    return f'<div class="kw-key kw-days">{told}</div>'


def accounts(found: AllCompleteness, reader: Reader) -> str:
    """List accounts, those that lack most first; one link a row."""
    heads = ["table-account", "table-share", "category-measured"]
    heads += ["category-estimated", "category-edited", "category-missing"]
    heads += ["table-failed-days", "table-because"]
    rows = (_account_row(one, reader) for one in found.accounts)
    return table(heads, rows, reader, numbers=(2, 3, 4, 5, 6), wide=(7,))


def _account_row(one: Completeness, reader: Reader) -> Sequence[str]:
    return (
        anchor(link(one.account.code), one.account.name),
        bar(one),
        share_told(one.percent(Category.MEASURED)),
        share_told(one.percent(Category.ESTIMATED)),
        share_told(one.percent(Category.EDITED)),
        share_told(one.percent(Category.MISSING)),
        str(one.failed_days),
        escape(_because(one, reader)),
    )


def _because(of: Counted, reader: Reader) -> str:
    return "" if of.main_cause is None else cause_told(of.main_cause, reader)


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


def broken_rules(found: Verdicts, reader: Reader) -> str:
    """List the rules that were broken, the worst first; each line opens its trace."""
    if not found.broken:
        held = "rules-all-held" if found.judged else "rules-none-judged"
        return note(held, reader, n=found.judged)
    first, more = found.broken[:_MOST_DAYS], found.broken[_MOST_DAYS:_MOST_BROKEN]
    told = _broken_table(first, reader)
    if more:
        summary = said("rules-more", reader, n=len(more))
        inside = _broken_table(more, reader)
        told += f"<details><summary>{summary}</summary>{inside}</details>"
    if len(found.broken) > _MOST_BROKEN:
        told += note("rules-too-many", reader, n=len(found.broken))
    return told


def _broken_table(broken: Iterable[BrokenRule], reader: Reader) -> str:
    heads = ("table-day", "table-rule", "table-figures", "table-point")
    return table(heads, (_broken_row(one, reader) for one in broken), reader, wide=(2,))


def _broken_row(one: BrokenRule, reader: Reader) -> Sequence[str]:
    address = link(
        one.account.code,
        one.point.name,
        one.local_day,
        interval=interval_name(one.opens),
    )
    when = f'<span class="kw-small">{whole(when_told(one, reader))}</span>'
    status = status_tag(one.status.name.lower(), reader)
    return (
        f"{anchor(address, day(one.local_day, reader))}<br>{when}",
        f"{escape(named('rule', one.rule, reader))}<br>{status}",
        escape(figures_told(one, reader)),
        escape(one.point.name),
    )
