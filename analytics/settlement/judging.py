"""Puts a span through the rules, in their order: form, physics, sums, statistics. Pure.

What breaks a rule that says a figure cannot be is distrusted and estimated anew; what
only looks unusual stays and is marked.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.settlement import rules_physical as physical
from analytics.settlement import rules_statistical as statistical
from analytics.settlement import rules_structural as structural
from analytics.settlement.counting import CountedPoint
from analytics.settlement.evidence import Evidence
from analytics.settlement.profile import Decided, Placed
from analytics.settlement.rules_sum import main_check, sum_check
from analytics.settlement.ruleset import Rule, Rules, Severity
from analytics.settlement.span import Span
from analytics.settlement.standstill import Standstill
from analytics.settlement.verdict import BROKEN, Status, Verdict
from meters.quantity import Quantity

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DISTRUST = ("negative", "cap", "spike", "stalled")
"""Rules whose failure means that the figure cannot be."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judged:
    """What the rules look at; arrays have shape (n,), NaN = not known."""

    span: Span
    evidence: Evidence
    counted: CountedPoint
    rules: Rules
    import_kwh: FloatArray
    export_kwh: FloatArray
    kvarh: FloatArray
    """Lagging and leading together."""
    check_kwh: FloatArray | None
    expected_kwh: FloatArray
    """What like days let expect; NaN where nobody asked."""
    out: BoolArray
    off: BoolArray
    """Which lie wholly in an outage."""
    doubted: tuple[tuple[int, int, float], ...]
    """First interval, end and kWh of each hole whose energy contradicts an outage."""
    metered: BoolArray
    """Whether a meter sat there at some time in each."""
    own: Placed | None
    """The meter's own intervals."""
    decided: Decided | None
    sum_passes: BoolArray
    """shape (d,)"""


def judge(given: Judged) -> tuple[Verdict, ...]:
    """Return the verdicts of every rule that is on, in order."""
    each = (*_structural(given), *_physical(given), *_sums(given), *_statistical(given))
    return tuple(verdict for verdicts in each for verdict in verdicts)


def distrusted(verdicts: Iterable[Verdict], span: Span) -> BoolArray:
    """Tell which intervals cannot be what was counted, shape (n,)."""
    never = np.zeros(span.start_us.shape, dtype=np.bool_)
    for one in verdicts:
        if one.status is Status.FAIL and (
            one.rule in DISTRUST or one.figures.get("reversed")
        ):
            never |= within(one, span)
    return never


def within(verdict: Verdict, span: Span) -> BoolArray:
    """Tell which intervals lie wholly in what a verdict is about."""
    inside: BoolArray = (span.start_us >= verdict.start_us) & (
        span.start_us + span.length_us <= verdict.stop_us
    )
    return inside


def _on(rule: Rule) -> bool:
    return rule.severity is not Severity.OFF


def _structural(given: Judged) -> Iterable[list[Verdict]]:
    rules, span, counted = given.rules, given.span, given.counted
    evidence = given.evidence
    if _on(rules.gap):
        missing = np.isnan(given.import_kwh) & given.metered
        yield structural.gap(missing, span, rules.gap)
    if _on(rules.repeats):
        yield structural.repeats(counted.rows, span, rules.repeats)
        if given.own is not None:
            yield _repeats_of_profile(given.own, span, rules.repeats)
    if _on(rules.master_data):
        fittings = evidence.fittings[Quantity.ENERGY_IMPORT_KWH]
        yield structural.master_data(evidence.stated, fittings, span, rules.master_data)
    if _on(rules.clock):
        rows = counted.rows
        yield structural.clock(
            rows.at_us,
            evidence.readings.received_us[rows.row],
            day_of(rows.at_us, span),
            span,
            rules.clock,
        )
    if _on(rules.plausible):
        doubtful = {q.value: c.doubtful for q, c in counted.registers.items()}
        disagrees = [d for c in counted.registers.values() for d in c.disagrees]
        yield structural.plausible(doubtful, disagrees, span, rules.plausible)


def day_of(at_us: IntArray, span: Span) -> IntArray:
    """Return in which local day of a span moments lie; -1 before, d after it."""
    ends = span.edges_us[span.first]
    return ends.searchsorted(at_us, side="right") - 1


def _repeats_of_profile(own: Placed, span: Span, rule: Rule) -> list[Verdict]:
    status, figures = BROKEN[rule.severity], {"repeats": own.repeats}
    found = [
        span.verdict("repeats", status, row, row + 1, figures)
        for row in np.flatnonzero(own.contradicted).tolist()
    ]
    found += [
        Verdict(
            rule="repeats",
            status=status,
            start_us=start_us,
            stop_us=start_us + span.length_us,
            figures={"overlaps_at_us": start_us},
        )
        for start_us in own.off_grid_us.tolist()
    ]
    return found or [span.held("repeats", figures)]


def _physical(given: Judged) -> Iterable[list[Verdict]]:
    rules, span, kwh = given.rules, given.span, given.import_kwh
    if _on(rules.negative):
        yield physical.negative(kwh, span, rules.negative)
    if _on(rules.reverse) and not given.evidence.feeds:
        yield physical.reverse(
            kwh, given.export_kwh, given.expected_kwh, span, rules.reverse
        )
    if _on(rules.cap):
        yield physical.cap(kwh, given.evidence.most_kw, span, rules.cap)
    if _on(rules.stalled):
        yield _stalled(given.counted.standstills, span, rules.stalled)
    if _on(rules.zero_run):
        idle = given.out | given.evidence.closed(span)
        yield physical.zero_run(kwh, idle, span, rules.zero_run)
    if _on(rules.outage):
        yield physical.outage(kwh, given.off, given.doubted, span, rules.outage)
    if _on(rules.flatline):
        yield physical.flatline(kwh, span, rules.flatline)
    if _on(rules.reactive):
        yield physical.reactive(kwh, given.kvarh, span, rules.reactive)


def _stalled(
    standstills: tuple[Standstill, ...], span: Span, rule: Rule
) -> list[Verdict]:
    found = [
        Verdict(
            rule="stalled",
            status=BROKEN[rule.severity],
            start_us=one.start_us // span.length_us * span.length_us,
            stop_us=-(-one.stop_us // span.length_us) * span.length_us,
            figures={
                "mean_kw": one.mean_kw,
                "counts_expected": one.counts,
                "counts_beside": one.counts_beside,
                "frozen": float(one.frozen),
            },
        )
        for one in standstills
    ]
    return found or [span.held("stalled", {})]


def _sums(given: Judged) -> Iterable[list[Verdict]]:
    rules, span = given.rules, given.span
    if _on(rules.sum_check):
        sums = () if given.decided is None else given.decided.sums
        yield sum_check(sums, span, rules.sum_check)
    if _on(rules.main_check) and given.check_kwh is not None:
        yield main_check(given.import_kwh, given.check_kwh, span, rules.main_check)


def _statistical(given: Judged) -> Iterable[list[Verdict]]:
    rules, span, kwh = given.rules, given.span, given.import_kwh
    if _on(rules.spike):
        yield statistical.spike(
            kwh, given.sum_passes, given.evidence.most_kw, span, rules.spike
        )
    if _on(rules.usage) or _on(rules.peak):
        each = statistical.daily(
            given.evidence.history, kwh, span, given.evidence.calendar
        )
        if _on(rules.usage):
            yield statistical.usage(each, span, rules.usage)
        if _on(rules.peak):
            yield statistical.peak(each, span, rules.peak)
