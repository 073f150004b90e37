"""HTML of what one interval came from: values in, escaped text out. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from analytics.completeness.ledger import Category, Kind
from analytics.settlement.verdict import Status, Verdict
from dashboard.figures import Shown
from dashboard.ledger_parts import status_tag, table, whole
from dashboard.phrase import note, said
from reports.day_ledger import DayDetail, IntervalLine
from reports.interval_hour import MeterHour
from reports.interval_trace import (
    IntervalTrace,
    TracedMeter,
    TracedOwn,
    TracedReading,
)
from reports.ledger_wording import cause_told, facts_told, kind_told, named, share_told
from reports.texts import text
from reports.wording import sentence
from reports.writing import ABSENT, Figure, Reader, clock, moment, power
from storage.edit_records import EditRecord
from storage.import_records import ImportRecord
from storage.settlement_master import SupplyOutage
from storage.trace import Version


def title(trace: IntervalTrace, reader: Reader) -> str:
    """Name an interval by the wall clock."""
    return said(
        "interval-title",
        reader,
        from_time=clock(trace.start, reader),
        to_time=clock(trace.stop, reader),
    )


def figures(
    trace: IntervalTrace, line: IntervalLine, reader: Reader
) -> tuple[Shown, ...]:
    """Say what is believed of an interval now."""
    now, words = trace.now, reader.language
    how = named("category", line.kind.category, reader)
    return (
        Shown(label=text("interval-import", words), value=_energy(line.import_kwh)),
        Shown(
            label=text("interval-how", words),
            value=how,
            note=_how_note(line.kind, reader),
        ),
        Shown(
            label=text("interval-sure", words),
            value=share_told(100 * line.confidence) if now else ABSENT,
        ),
        Shown(
            label=text("interval-since", words),
            value=ABSENT if now is None else moment(now.settled_at, reader),
            note=text("interval-never-settled", words)
            if now is None
            else sentence("interval-version", {"n": now.version}, reader),
        ),
    )


def _how_note(kind: Kind, reader: Reader) -> str:
    method = named("method", kind.method, reader) if kind.method else ""
    why = cause_told(kind, reader)
    if not (method and why):
        return method or why
    return sentence("kind-because", {"what": method, "why": why}, reader)


def _energy(kwh: float | None) -> str:
    """Write an interval's energy in full: it is what is billed."""
    return ABSENT if kwh is None else f"{kwh:,.6f}".rstrip("0").rstrip(".") + " kWh"


def versions(trace: IntervalTrace, reader: Reader) -> str:
    """List what was believed when, the newest first."""
    if not trace.versions:
        return note("interval-never-settled", reader)
    heads = [f"table-{name}" for name in ("version", "energy-kwh", "how", "sure")]
    heads += ["table-settled", "table-until"]
    rows = (_version(one, reader) for one in trace.versions)
    return table(heads, rows, reader, numbers=(1, 3), wide=(2,))


def _version(one: Version, reader: Reader) -> Sequence[str]:
    category = Category(one.quality)
    missing = category is Category.MISSING
    kind = Kind(
        category=category,
        method="" if missing else one.method,
        cause=one.method if missing else "",
    )
    until = one.replaced_at
    return (
        str(one.version),
        _energy(one.import_kwh),
        escape(kind_told(kind, reader)),
        share_told(100 * one.confidence),
        whole(moment(one.settled_at, reader)),
        said("until-now", reader) if until is None else whole(moment(until, reader)),
    )


def rules(trace: IntervalTrace, reader: Reader) -> str:
    """List what each rule said, what broke first, with its figures."""
    if trace.rules is None:
        return note("day-not-judged", reader)
    broken = [one for one in trace.verdicts if one.status > Status.SKIPPED]
    held = [one for one in trace.verdicts if one.status <= Status.SKIPPED]
    held.sort(key=lambda one: one.status)
    told = _rules(broken, reader) if broken else note("day-rules-none", reader)
    more = said("rules-held", reader, n=len(held))
    told += f"<details><summary>{more}</summary>{_rules(held, reader)}</details>"
    return told + note("rules-by", reader, rules=trace.rules)


def _rules(verdicts: Sequence[Verdict], reader: Reader) -> str:
    heads = ("table-rule", "table-verdict", "table-figures")
    return table(heads, (_rule(one, reader) for one in verdicts), reader, wide=(2,))


def _rule(one: Verdict, reader: Reader) -> Sequence[str]:
    return (
        escape(named("rule", one.rule, reader)),
        status_tag(one.status.name.lower(), reader),
        escape(", ".join(facts_told(one.figures, reader))),
    )


def readings(trace: IntervalTrace, hours: Sequence[MeterHour], reader: Reader) -> str:
    """Show what each meter said around an interval, and how it fared in that hour."""
    fared = {one.serial: _hour(one, reader) for one in hours}
    told = "".join(
        _meter(one, reader) + fared.get(one.meter.serial, note("hour-none", reader))
        for one in trace.meters
    )
    return told or note("meter-none", reader)


def circumstances(trace: IntervalTrace, reader: Reader) -> str:
    """Say what was entered of that time: no supply, a closure, a file taken back.

    Empty where nothing was.
    """
    parts = [_outage(one, reader) for one in trace.outages]
    parts += [
        said("outage-counted", reader, counted_kwh=one.figures["kwh"])
        for one in trace.verdicts
        if one.rule == "outage" and one.status > Status.SKIPPED
    ]
    if trace.closure is not None:
        closure = trace.closure
        who, at = closure.entered_by, closure.entered_at
        parts.append(said("closure-told", reader, why=closure.reason, who=who, at=at))
    parts += [_undone(one, reader) for one in trace.undone]
    lines = "".join(f"<li>{told}</li>" for told in parts)
    return f'<ul class="kw-findings">{lines}</ul>' if lines else ""


def _undone(one: ImportRecord, reader: Reader) -> str:
    """Say which file had given something of it, and who took that back and why."""
    return said(
        "import-undone-told",
        reader,
        file=one.name,
        who=one.imported_by,
        at=one.imported_at,
        undone_by=one.undone_by,
        undone_at=one.undone_at,
        why=one.undone_why,
    )


def _outage(one: SupplyOutage, reader: Reader) -> str:
    return said(
        f"outage-told-{one.kind}",
        reader,
        from_at=one.start,
        until_at=one.stop,
        why=one.reason,
        who=one.entered_by,
        at=one.entered_at,
    )


def _meter(traced: TracedMeter, reader: Reader) -> str:
    there = traced.meter
    code = "meter-line-check" if there.role == "check" else "meter-line"
    ratio = _ratio(there.multiplier)
    parts = [f"<h3>{said(code, reader, serial=there.serial, multiplier=ratio)}</h3>"]
    if there.changes_at is not None and there.changes_to is not None:
        changed = {
            "from_time": there.changes_at.astimezone(reader.zone).strftime("%H:%M:%S"),
            "multiplier": _ratio(there.changes_to),
        }
        parts.append(note("meter-multiplier-changes", reader, **changed))
    if traced.own is not None:
        parts.append(_own(traced.own, reader))
    if not traced.readings:
        parts.append(note("meter-said-nothing", reader))
        return "".join(parts)
    heads = ["table-measured", "table-received", "table-register", "table-counts"]
    if any(one.active_power_kw is not None for one in traced.readings):
        heads.append("table-power")
    rows = (_reading(one, reader)[: len(heads)] for one in traced.readings)
    parts.append(table(heads, rows, reader, numbers=(2, 3, 4)))
    return "".join(parts)


def _own(own: TracedOwn, reader: Reader) -> str:
    """Say who gives the energy itself: the meter or a file."""
    told: dict[str, Figure] = {
        "own_kwh": own.import_kwh,
        "n": own.length_min,
        "from_at": own.starts_at,
    }
    if own.file is None:
        return note("meter-own", reader, **told)
    return note(
        "meter-own-file",
        reader,
        file=own.file.name,
        who=own.file.imported_by,
        at=own.file.imported_at,
        **told,
    )


def _hour(one: MeterHour, reader: Reader) -> str:
    """Say what came of a meter in the hour, and whether its line failed alike."""
    told = note(
        "hour-told", reader, answered=one.answered, failed=one.failed, at=one.hour
    )
    if one.failed and one.on_line > 1:
        least = one.least_failed_percent
        told += note("hour-line", reader, n=one.on_line, least_percent=least)
    return told


def _ratio(multiplier: Decimal) -> str:
    return f"{multiplier.normalize():f}"


def _reading(one: TracedReading, reader: Reader) -> Sequence[str]:
    times = (
        whole(f"{moment(at, reader)}:{at.astimezone(reader.zone):%S}")
        for at in (one.measured_at, one.received_at)
    )
    return (
        *times,
        ABSENT if one.import_kwh is None else f"{one.import_kwh:,.12g}",
        ABSENT if one.import_counts is None else f"{one.import_counts:,}",
        ABSENT if one.active_power_kw is None else power(one.active_power_kw),
    )


def refused(trace: IntervalTrace, reader: Reader) -> str:
    """List what was refused around an interval."""
    if not trace.refused:
        return note("refused-none", reader)
    heads = ("table-received", "table-reason", "table-source", "table-what-said")
    rows = (
        (
            whole(moment(one.received_at, reader)),
            f"<code>{escape(one.reason)}</code>",
            escape(one.source),
            escape(one.text),
        )
        for one in trace.refused
    )
    return table(heads, rows, reader, wide=(3,))


def waiting_edits(trace: IntervalTrace, detail: DayDetail) -> frozenset[int]:
    """Return which edits, or their undoing, are still to be settled."""
    if not detail.is_dirty:
        return frozenset()
    return frozenset(
        one.edit_id
        for one in trace.edits
        if trace.now is None or trace.now.settled_at < (one.undone_at or one.edited_at)
    )


def edit(one: EditRecord, reader: Reader, *, waits: bool) -> str:
    """Say who set what, why, who undid it, and whether that is still to be settled."""
    told = said(
        "edit-told",
        reader,
        who=one.edited_by,
        new_kwh=one.import_kwh,
        old_kwh=one.was_import_kwh,
        at=one.edited_at,
        why=one.reason,
    )
    parts = [f"<p>{told}</p>"]
    if one.undone_at is not None:
        undone = {"who": one.undone_by, "at": one.undone_at, "why": one.undone_why}
        parts.append(f"<p>{said('edit-undone', reader, **undone)}</p>")
    if waits:
        parts.append(note("edit-waits", reader))
    state = "resolved" if one.undone_at else "acknowledged"
    return f'<div class="kw-alert kw-state-{state}">{"".join(parts)}</div>'


def doubts(failed: Sequence[Verdict], figure: str, reader: Reader) -> str:
    """Say which rules fail with a figure that is not saved yet, each with its own."""
    lines = "".join(
        f"<li><b>{escape(named('rule', one.rule, reader))}</b>: "
        f"{escape(', '.join(facts_told(one.figures, reader)))}</li>"
        for one in failed
    )
    title = said("edit-doubted", reader, kwh_told=figure)
    return f'<p class="kw-warn">{title}</p><ul class="kw-findings">{lines}</ul>'


def bills(trace: IntervalTrace, reader: Reader) -> str:
    """Say which bills pin an interval."""
    if not trace.bills:
        return note("bills-none", reader)
    return "".join(
        "<p>"
        + said(
            "bill-told",
            reader,
            bill_id=str(one.bill_id),
            from_day=one.first_day,
            to_day=one.last_day,
            as_of_at=one.as_of,
        )
        + "</p>"
        for one in trace.bills
    )
