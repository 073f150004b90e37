"""Numbers as people's programs write them: thousands separators, decimal commas. Pure.

Whether a comma parts thousands or decimals is decided once for all number columns of a
file; where the file does not tell, it is not guessed.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from reports.exchange.form import ExchangeError

FloatArray = npt.NDArray[np.float64]
Decimal = Literal[".", ","]

EMPTY = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none", "#n/a"})
"""What stands for no value, in small letters."""
_SPACES = str.maketrans("", "", " '\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}’")
_PLAIN = re.compile(r"[+-]?\d*[.]?\d*(?:[eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:[.,]\d{3})+")
"""As 1,702 or 1.234.567: groups of three and nothing else; 0,702 is a fraction."""


def decimal_of(columns: Iterable[Sequence[str]], file: str) -> Decimal:
    """Find the decimal mark of a file.

    Raises
    ------
    ExchangeError
        Where it has both, or where only such numbers as 1,702 are there.

    Examples
    --------
    >>> decimal_of([["-4.142", "1,702.85"]], "a.csv")
    '.'
    >>> decimal_of([["90,04", "1.702,85"]], "a.csv")
    ','

    """
    said: dict[Decimal, str] = {}
    doubtful = ""
    for column in columns:
        for text in column:
            if "," not in text and "." not in text:
                continue
            mark = _mark(text.translate(_SPACES))
            if mark is not None:
                said.setdefault(mark, text)
            elif "," in text:
                doubtful = doubtful or text
    if len(said) > 1:
        raise ExchangeError(
            f"{file}: {said['.']} has a decimal point and {said[',']} a decimal comma; "
            "say which it is with --decimal."
        )
    if doubtful and not said:
        raise ExchangeError(
            f"{file}: is {doubtful} more than a thousand, or a decimal? Say which mark "
            "parts the decimals with --decimal."
        )
    return next(iter(said), ".")


def _mark(text: str) -> Decimal | None:
    """Return the decimal mark that a number must have; None = it may be either."""
    if "," in text and "." in text:
        return "," if text.rindex(",") > text.rindex(".") else "."
    mine: Decimal = "," if "," in text else "."
    other: Decimal = "." if mine == "," else ","
    if text.count(mine) > 1:
        return other if _GROUPED.fullmatch(text) else None
    return None if _GROUPED.fullmatch(text) else mine


def numbers_of(
    texts: Sequence[str], decimal: Decimal
) -> tuple[FloatArray, dict[int, str]]:
    """Return texts as numbers, NaN where empty; and what is wrong, by its index.

    Examples
    --------
    >>> numbers_of(["1,702.85", "", "off"], ".")
    (array([1702.85,     nan,     nan]), {2: "'off' is no number"})

    """
    values = np.full(len(texts), math.nan)
    wrong: dict[int, str] = {}
    thousands = "." if decimal == "," else ","
    for at, text in enumerate(texts):
        if text.lower() in EMPTY:
            continue
        number = _number(text, decimal, thousands)
        if number is None:
            wrong[at] = f"{text!r} is no number"
        elif math.isinf(number):
            wrong[at] = f"{text!r} is infinite"
        else:
            values[at] = number
    return values, wrong


def _number(text: str, decimal: str, thousands: str) -> float | None:
    plain = text.translate(_SPACES)
    whole, mark, rest = plain.partition(decimal)
    if thousands in whole:
        if not _GROUPED.fullmatch(whole):
            return None
        whole = whole.replace(thousands, "")
    plain = f"{whole}.{rest}" if mark else whole
    if not _PLAIN.fullmatch(plain):
        return None
    try:
        return float(plain)
    except ValueError:
        return None
