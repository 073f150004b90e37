"""The sentences people read, one TOML file a language, all with the same codes."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class WordingError(LookupError):
    """A sentence or one of its figures is missing."""


@cache
def texts(language: Language) -> dict[str, str]:
    """Every sentence of one language, by code."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise WordingError(
            f"There are no texts in '{language}'; choose one of {known}."
        )
    source = files("reports.texts").joinpath(f"{language}.toml")
    return {str(k): str(v) for k, v in tomllib.loads(source.read_text("utf-8")).items()}


def text(code: str, language: Language = "en") -> str:
    """One sentence with its placeholders still open."""
    try:
        return texts(language)[code]
    except KeyError:
        raise WordingError(
            f"The texts in '{language}' have no sentence '{code}'."
        ) from None
