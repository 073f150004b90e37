import os
from pathlib import Path

import pytest

from keywatt.settings import SettingsError, load_settings, shown


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch) -> None:
    for name in os.environ:
        if name.startswith("KEYWATT_"):
            monkeypatch.delenv(name)


def config_file(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text)
    return path


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch, tmp_path
) -> None:
    path = config_file(tmp_path, "broker_host = 'from-file'\nbroker_port = 1884")
    monkeypatch.setenv("KEYWATT_BROKER_HOST", "from-environment")
    settings = load_settings(path)
    assert settings.broker_host == "from-environment"
    assert settings.broker_port == 1884
    assert settings.dashboard_port == 8501


def test_the_file_can_be_named_by_the_environment(monkeypatch, tmp_path) -> None:
    path = config_file(tmp_path, "manager = 'Li Wei'")
    monkeypatch.setenv("KEYWATT_CONFIG", str(path))
    assert load_settings().manager == "Li Wei"


def test_a_secret_comes_from_its_own_file_and_is_never_shown(
    monkeypatch, tmp_path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("tulip 7\n")
    monkeypatch.setenv("KEYWATT_DATABASE_URL", "postgresql://keywatt@db.example/site")
    monkeypatch.setenv("KEYWATT_DATABASE_PASSWORD_FILE", str(secret))
    settings = load_settings()
    assert "password='tulip 7'" in settings.database()
    assert "tulip" not in repr(settings)
    assert "tulip" not in str(shown(settings))


@pytest.mark.parametrize(
    ("environment", "config", "said"),
    [
        pytest.param(
            {"KEYWATT_BROKER_PROT": "1"},
            None,
            ["KEYWATT_BROKER_PROT", "did you mean KEYWATT_BROKER_PORT", "KEYWATT_USER"],
            id="unknown variable",
        ),
        pytest.param(
            {"KEYWATT_BROKER_PORT": "a lot"},
            None,
            ["KEYWATT_BROKER_PORT: is 'a lot', should be a valid integer"],
            id="wrong type in the environment",
        ),
        pytest.param(
            {"KEYWATT_BROKER_PORT": "70000"},
            None,
            ["KEYWATT_BROKER_PORT", "65535"],
            id="out of range",
        ),
        pytest.param(
            {"KEYWATT_CLOCK": "noon"},
            None,
            ["KEYWATT_CLOCK", "'noon'", "SITE@UNIX*SPEED"],
            id="no clock",
        ),
        pytest.param(
            {},
            "broker_prot = 1",
            ["site.toml", "broker_prot", "did you mean broker_port"],
            id="unknown key",
        ),
        pytest.param(
            {},
            "broker_port = [1]",
            ["site.toml, key broker_port: is [1], should be a valid integer"],
            id="wrong type in the file",
        ),
        pytest.param({}, "broker_port = ", ["site.toml: is not TOML: "], id="no TOML"),
        pytest.param(
            {},
            "broker_password = ['tulip']",
            ["site.toml, key broker_password: should be a valid string"],
            id="wrong type of a secret",
        ),
        pytest.param(
            {"KEYWATT_BROKER_PORT": "0"},
            "language = 'fr'",
            ["KEYWATT_BROKER_PORT: is '0', should be greater", "(and 1 more)."],
            id="two mistakes",
        ),
        pytest.param(
            {"KEYWATT_BROKER_PASSWORD_FILE": "/nowhere/secret"},
            None,
            ["KEYWATT_BROKER_PASSWORD_FILE", "/nowhere/secret", "No such file"],
            id="no secret file",
        ),
        pytest.param(
            {
                "KEYWATT_BROKER_PASSWORD_FILE": "/nowhere/secret",
                "KEYWATT_BROKER_PASSWORD": "tulip",
            },
            None,
            ["either KEYWATT_BROKER_PASSWORD or KEYWATT_BROKER_PASSWORD_FILE"],
            id="secret twice",
        ),
        pytest.param(
            {"KEYWATT_CONFIG": "/nowhere/site.toml"},
            None,
            ["/nowhere/site.toml", "No such file"],
            id="no settings file",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_place_and_reason(
    monkeypatch, tmp_path, environment, config, said
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = config_file(tmp_path, config) if config else None
    with pytest.raises(SettingsError) as refusal:
        load_settings(path)
    text = str(refusal.value)
    assert [words for words in said if words not in text] == []
    assert "\n" not in text
    assert text.endswith(".")
    assert "tulip" not in text


def test_without_a_database_it_says_how_to_name_one() -> None:
    with pytest.raises(SettingsError, match="KEYWATT_DATABASE_URL"):
        load_settings().database()
