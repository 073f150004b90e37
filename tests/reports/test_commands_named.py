"""Every `keywatt …` that people are told to type exists."""

import re
from pathlib import Path

import pytest
import typer

from keywatt.__main__ import app
from reports.texts import LANGUAGES, texts

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs" / "handbook").glob("*.md"))]
# In code spans, code blocks and typographic quotes: `keywatt site apply FILE`.
NAMED = re.compile(r"(?:^|[ `“]|bin/)keywatt((?: +[a-z-]+)+)", re.MULTILINE)
BLOCK = re.compile(r"```.*?```", re.DOTALL)
SPAN = re.compile(r"`[^`]+`|“[^”]+”")


def named(told: str) -> list[tuple[str, ...]]:
    spans = SPAN.findall(" ".join(BLOCK.sub("", told).split()))
    quoted = "\n".join([*BLOCK.findall(told), *spans])
    return [tuple(words.split()) for words in NAMED.findall(quoted)]


def exists(words: tuple[str, ...]) -> bool:
    """Whether the words lead to a command; what follows one is its arguments."""
    command = typer.main.get_command(app)
    for word in words:
        known = getattr(command, "commands", None)
        if known is None:
            return True
        if word.startswith("-"):
            break
        if word not in known:
            return False
        command = known[word]
    return not hasattr(command, "commands") or words[-1].startswith("-")


def test_a_command_that_is_not_there_is_noticed() -> None:
    assert named("Type `keywatt apply FILE`, or “keywatt site apply FILE”.") == [
        ("apply",),
        ("site", "apply"),
    ]
    assert not exists(("apply",))
    assert not exists(("site",))
    assert exists(("site", "apply"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_pages_exist(page) -> None:
    missing = {words for words in named(page.read_text("utf-8")) if not exists(words)}
    assert not missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_in_sentences_exist(language) -> None:
    found = named("\n".join(texts(language).values()))
    assert ("site", "apply") in found
    assert {words for words in found if not exists(words)} == set()
