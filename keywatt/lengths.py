"""Lengths of time as people say them."""

from datetime import timedelta

_LONG_S, _LONG_MIN, _LONG_H = 120, 120, 72


def in_words(length: timedelta) -> str:
    """Write a length of time in the unit that fits.

    Examples
    --------
    >>> in_words(timedelta(seconds=9)), in_words(timedelta(minutes=15))
    ('9 s', '15 min')
    >>> in_words(timedelta(hours=30)), in_words(timedelta(days=61))
    ('30 h', '61 days')

    """
    seconds = length.total_seconds()
    if seconds < _LONG_S:
        return f"{seconds:.0f} s"
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < _LONG_MIN:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < _LONG_H else f"{hours / 24:.0f} days"
