"""Names of what became of intervals: categories, methods, causes, rules, their figures.

What is kept are codes; a code that has no name in the texts is shown as it is.
"""

import math
from collections.abc import Mapping

from analytics.completeness.cause import Cause
from analytics.completeness.ledger import Kind
from reports.texts import WordingError, text
from reports.wording import sentence
from reports.writing import ABSENT, Figure, Reader, written

_FLAGS = frozenset({"sum_passes", "reversed", "frozen"})
"""Figures that are 1 or 0: told as what that means."""
_LAST = {"ratio": 1, "least_ratio": 2, "limit_ratio": 2} | dict.fromkeys(_FLAGS, 3)
"""Told after what they come from; what is kept has no order."""


def named(kind: str, code: str, reader: Reader) -> str:
    """Name a code: its text is `kind-code`.

    Examples
    --------
    >>> named("rule", "spike", Reader()), named("rule", "brand-new", Reader())
    ('Spike', 'brand-new')

    """
    try:
        return text(f"{kind}-{code.replace('_', '-')}", reader.language)
    except WordingError:
        return code


def cause_told(kind: Kind, reader: Reader) -> str:
    """Say why an interval was not measured, or is not settled.

    Examples
    --------
    >>> from analytics.completeness.ledger import Category
    >>> refused = Kind(category=Category.MISSING, cause="refused", detail="not-json")
    >>> cause_told(refused, Reader())
    'refused (not-json)'

    """
    if not kind.cause:
        return ""
    told = named("cause", kind.cause, reader)
    if not kind.detail:
        return told
    detail = kind.detail
    if kind.cause == Cause.NOT_BELIEVED:
        detail = named("rule", detail, reader)
    return sentence("cause-with-detail", {"why": told, "detail": detail}, reader)


def kind_told(kind: Kind, reader: Reader) -> str:
    """Say how an interval is known: category, method and cause.

    Examples
    --------
    >>> from analytics.completeness.ledger import Category
    >>> kind_told(Kind(category=Category.ESTIMATED, method="linear",
    ...                cause="meter-silent"), Reader())
    'Estimated, on a straight line: meter silent'

    """
    told = named("category", kind.category, reader)
    if kind.method:
        how = named("method", kind.method, reader)
        told = sentence("kind-by-method", {"what": told, "how": how}, reader)
    why = cause_told(kind, reader)
    if not why:
        return told
    return sentence("kind-because", {"what": told, "why": why}, reader)


def facts_told(figures: Mapping[str, Figure], reader: Reader) -> tuple[str, ...]:
    """Write the figures that led to a verdict, each with its name; limits come last.

    Examples
    --------
    >>> facts_told({"ratio": 9.0, "limit_ratio": 1.8, "highest_kwh": 812.0,
    ...             "sum_passes": 0.0}, Reader())
    ('highest 812 kWh', 'ratio 9', 'limit 1.8', 'not confirmed by the register')

    """
    ordered = sorted(figures, key=lambda name: (_LAST.get(name, 0), name))
    return tuple(_fact_told(name, figures[name], reader) for name in ordered)


def _fact_told(name: str, value: Figure, reader: Reader) -> str:
    if name in _FLAGS:
        return named("fact", f"{name}-{'yes' if value else 'no'}", reader)
    return f"{named('fact', name, reader)} {written(name, value, reader)}"


def share_told(percent: float) -> str:
    """Write a share so that what is not all is never shown as all, or as nothing.

    Examples
    --------
    >>> share_told(100.0), share_told(99.999), share_told(0.004)
    ('100 %', '99.99 %', '0.01 %')

    """
    if math.isnan(percent):
        return ABSENT
    if percent in {0.0, 100.0}:
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.01), 99.99):.2f} %"
