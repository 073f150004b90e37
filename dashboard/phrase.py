"""Sentences as HTML: escaped, small and grey, or standing for what is not there."""

from html import escape

from reports.wording import sentence
from reports.writing import Figure, Reader


def said(code: str, reader: Reader, /, **figures: Figure) -> str:
    """Say a sentence, escaped."""
    return escape(sentence(code, figures, reader))


def note(code: str, reader: Reader, /, **figures: Figure) -> str:
    """Say something small and grey."""
    return f'<div class="kw-note">{said(code, reader, **figures)}</div>'


def empty(title: str, what_to_do: str) -> str:
    """Say that there is nothing, and what to do about it."""
    return f'<div class="kw-empty"><b>{title}</b><span>{what_to_do}</span></div>'
