"""Turns a code and figures into a sentence: alerts and findings keep only those two.

The sentences stand in texts/*.toml; how figures look is decided in writing.py.

    WordingError(LookupError)   a sentence or a figure is missing
"""

from collections.abc import Mapping
from datetime import UTC, tzinfo

from reports.texts import LANGUAGES, Language, WordingError, text
from reports.writing import Figure, Reader, written

__all__ = ["LANGUAGES", "Language", "WordingError", "reason", "say", "sentence"]


def say(
    code: str,
    /,
    language: Language = "en",
    *,
    zone: tzinfo = UTC,
    currency: str = "",
    **figures: Figure,
) -> str:
    """Say one sentence.

    Parameters
    ----------
    code : str
        Its key in texts/*.toml.
    language : str
        One of `LANGUAGES`.
    zone : tzinfo
        In which times are told.
    currency : str
        Put before amounts of money.
    **figures
        Named as the placeholders; the ending of the name is the unit. Those the
        sentence does not use are ignored.

    Raises
    ------
    WordingError
        No such code or language, or a placeholder without its figure.

    Examples
    --------
    >>> say("load-above-expected", load_kw=412.0, low_kw=180.0, high_kw=260.0,
    ...     since_at="2026-03-02T06:15:00+00:00")
    'Load 412 kW is above the expected 180 kW to 260 kW since Mon 2 Mar 06:15.'

    """
    return sentence(
        code, figures, Reader(language=language, zone=zone, currency=currency)
    )


def reason(why: str, reader: Reader) -> str:
    """Say why an alert's step was taken: a code where Keywatt acts, or people's words.

    Examples
    --------
    >>> reason("inside-band", Reader()), reason("I call them", Reader())
    ('well inside the expected band again', 'I call them')

    """
    try:
        return text(f"why-{why}", reader.language)
    except WordingError:
        return why


def sentence(code: str, figures: Mapping[str, Figure], reader: Reader) -> str:
    """Say one sentence to a reader; see `say`."""
    template = text(code, reader.language)
    words = {name: written(name, value, reader) for name, value in figures.items()}
    try:
        return template.format_map(words)
    except KeyError as exc:
        raise WordingError(
            f"The sentence '{code}' needs the figure {exc}, which was not given."
        ) from None
