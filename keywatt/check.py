"""What one look at something found: how bad it is, in a line, with a remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_NAMED = 5


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at."""

    verdict: Verdict
    subject: str
    text: str
    remedy: str | None = None


def named(sentence: str, found: Sequence[object]) -> str:
    """Put what names the first of some before how many are not named."""
    left = len(found) - MOST_NAMED
    return f"{sentence} Not named here: {left}." if left > 0 else sentence
