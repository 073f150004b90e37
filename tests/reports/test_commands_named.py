"""Every command that a sentence tells people to type exists; pages: test_handbook."""

import re

import pytest
import typer

from keywatt.__main__ import app
from reports.texts import LANGUAGES, texts

NAMED = re.compile(r"“keywatt ([^”]+)”")


def exists(words: str) -> bool:
    """Whether words lead to a command; what stands in capitals is its argument."""
    command = typer.main.get_command(app)
    for word in words.split():
        if word.isupper():
            break
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return False
    return not hasattr(command, "commands")


def test_a_command_that_is_not_there_is_noticed() -> None:
    assert not exists("apply FILE")
    assert not exists("site")
    assert exists("site apply FILE")


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_in_sentences_exist(language) -> None:
    found = NAMED.findall("\n".join(texts(language).values()))
    assert "site apply FILE" in found
    assert [words for words in found if not exists(words)] == []
