"""What is said of a payload that is not believed. Pure."""

from meters.refusal import Reason

_WIDEST_BITS = 64
_LINE = 60


class PayloadError(ValueError):
    """A payload, or one reading of it, that is not believed."""

    def __init__(self, reason: Reason, text: str, readings: int = 1) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.readings = readings
        """How many readings were refused, as far as that can be told."""


def not_in_schema(text: str) -> PayloadError:
    """Make the most common refusal."""
    return PayloadError(Reason.NOT_IN_SCHEMA, text)


def short(value: object) -> str:
    """Show a value in a sentence: printable, and not all of a long one."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    if value is None:
        return "null"
    if isinstance(value, int) and value.bit_length() > _WIDEST_BITS:
        # Python refuses to print whole numbers of thousands of digits.
        return "a number beyond all measure"
    text = repr(value)
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"
