"""HTML of what people entered for an account: values in, escaped text out. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from html import escape
from urllib.parse import quote

from accounts.account import Account
from dashboard.ledger_parts import head, table, whole
from dashboard.phrase import note, said
from reports.account_records import AccountRecords, BillRecord, ClosedDays
from reports.record_entering import Counting
from reports.wording import reason, sentence
from reports.writing import ABSENT, Reader, clock, day, energy
from storage.import_records import ImportRecord
from storage.settlement_master import SupplyOutage

MOST = 50
"""Of each kind on the page; the command lists them all."""


def records_link(code: str) -> str:
    """Address of the page, relative to the others."""
    return f"records?account={quote(code)}"


def title(account: Account, reader: Reader) -> str:
    """Name the page of an account, with the way back to the account's."""
    code = quote(account.code)
    return head(
        said("records-of", reader, name=account.name),
        said("records-sub", reader),
        (f"account?account={code}", escape(account.name)),
    )


def outages(records: AccountRecords, reader: Reader) -> str:
    """List time without supply."""
    heads = ["table-number", "table-from", "table-until", "table-point", "table-kind"]
    heads += ["table-reason", "table-entered", "table-taken-back"]
    rows = [_outage(one, reader) for one in records.outages[:MOST]]
    return _listed("outage", heads, rows, len(records.outages), reader)


def _outage(one: SupplyOutage, reader: Reader) -> Sequence[str]:
    return (
        str(one.outage_id),
        whole(when(one.start, reader)),
        whole(when(one.stop, reader)),
        escape(one.point),
        said(f"outage-{one.kind}", reader),
        escape(one.reason),
        _step(one.entered_by, one.entered_at, reader),
        _gone(one.removed_by, one.removed_at, one.removed_why, reader),
    )


def closures(records: AccountRecords, reader: Reader) -> str:
    """List days on which the site does not work."""
    heads = ("table-days", "table-reason", "table-entered", "table-taken-back")
    rows = [_closure(one, reader) for one in records.closures[:MOST]]
    return _listed("closure", heads, rows, len(records.closures), reader)


def _closure(one: ClosedDays, reader: Reader) -> Sequence[str]:
    entry = one.entry
    return (
        whole(days_told(one.first_day, one.last_day, reader)),
        escape(entry.reason),
        _step(entry.entered_by, entry.entered_at, reader),
        _gone(entry.removed_by, entry.removed_at, entry.removed_why, reader),
    )


def imports(records: AccountRecords, reader: Reader) -> str:
    """List the files that were imported."""
    heads = ["table-number", "table-file", "table-point", "table-from", "table-until"]
    heads += ["table-rows", "table-energy-kwh", "table-entered", "table-taken-back"]
    rows = [_import(one, reader) for one in records.imports[:MOST]]
    numbers = (5, 6)
    return _listed("import", heads, rows, len(records.imports), reader, numbers=numbers)


def _import(one: ImportRecord, reader: Reader) -> Sequence[str]:
    ends = (one.starts_at, one.stops_at)
    return (
        str(one.import_id),
        escape(one.name),
        escape(one.point or ABSENT),
        *(ABSENT if at is None else whole(when(at, reader)) for at in ends),
        f"{one.rows_new + one.rows_changed:,}",
        ABSENT if one.import_kwh is None else energy(one.import_kwh),
        _step(one.imported_by, one.imported_at, reader),
        _gone(one.undone_by, one.undone_at, one.undone_why, reader),
    )


def bills(records: AccountRecords, reader: Reader) -> str:
    """List the bills, and which of them are not what is believed now."""
    heads = ["table-number", "table-days", "table-energy-kwh", "table-note"]
    heads += ["table-entered", "table-now", "table-taken-back"]
    rows = [_bill(one, reader) for one in records.bills[:MOST]]
    return _listed("bill", heads, rows, len(records.bills), reader, numbers=(2,))


def _bill(one: BillRecord, reader: Reader) -> Sequence[str]:
    bill = one.bill
    return (
        str(bill.bill_id),
        whole(days_told(bill.first_day, bill.last_day, reader)),
        ABSENT if one.import_kwh is None else energy(one.import_kwh),
        escape(bill.note),
        _step(bill.pinned_by, bill.pinned_at, reader),
        "" if bill.withdrawn_at else _bill_now(one, reader),
        _gone(bill.withdrawn_by, bill.withdrawn_at, bill.withdrawn_why, reader),
    )


def _bill_now(one: BillRecord, reader: Reader) -> str:
    parts = [said("bill-as-billed", reader)]
    if one.change is not None:
        change = {"change_kwh": one.change.change_kwh, "n": one.change.intervals}
        parts = [said("bill-differs", reader, **change)]
    if one.days_waiting:
        parts.append(said("bill-waits", reader, n=one.days_waiting))
    return "<br>".join(parts)


def counting(records: AccountRecords, reader: Reader) -> dict[str, Counting]:
    """Name what counts and can be taken back, the newest of each kind first."""
    found: list[tuple[str, Counting, dict[str, str]]] = []
    for off in records.outages:
        if off.removed_at is None:
            told = {"number": str(off.outage_id), "when": when(off.start, reader)}
            found.append(("outage", off, told))
    for closed in records.closures:
        if closed.entry.removed_at is None:
            days = days_told(closed.first_day, closed.last_day, reader)
            found.append(("closure", closed, {"when": days}))
    for file in records.imports:
        if file.undone_at is None:
            told = {"number": str(file.import_id), "file": file.name}
            found.append(("import", file, told))
    return {
        sentence(f"record-name-{what}", told, reader): entry
        for what, entry, told in found
    }


def when(at: datetime, reader: Reader) -> str:
    """Write a moment with its year: records are of many."""
    return f"{day(at, reader)} {clock(at, reader)}"


def days_told(first_day: date, last_day: date, reader: Reader) -> str:
    """Write a day, or the first and the last of several."""
    if first_day == last_day:
        return day(first_day, reader)
    return f"{day(first_day, reader)} – {day(last_day, reader)}"


def _listed(
    what: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    every: int,
    reader: Reader,
    *,
    numbers: Sequence[int] = (),
) -> str:
    """Lay out a table; say that there is nothing, or that there is more."""
    if not rows:
        return note(f"records-none-{what}", reader)
    sentences = ("table-reason", "table-entered", "table-taken-back", "table-now")
    wide = [at for at, head in enumerate(heads) if head in sentences]
    told = table(heads, rows, reader, numbers=numbers, wide=wide)
    more = every - len(rows)
    return told + (note(f"records-more-{what}", reader, n=more) if more else "")


def _step(by: str, at: datetime, reader: Reader) -> str:
    return said("record-step", reader, who=by, when=when(at, reader))


def _gone(by: str | None, at: datetime | None, why: str | None, reader: Reader) -> str:
    if at is None:
        return ""
    told = ABSENT if why is None else reason(why, reader)
    return said("record-gone", reader, who=by, when=when(at, reader), why=told)
