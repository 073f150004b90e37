import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest

import alerts.notify
from alerts.lifecycle import Action
from alerts.notice import DeliveryError, Notice, title
from alerts.notify.apprise_url import AppriseUrl, body
from alerts.notify.crew_topic import CrewTopic

SCHEMA = json.loads(
    (Path(alerts.notify.__file__).parent / "crew_alert.schema.json").read_text("utf-8")
)
NOTICE = Notice(
    event_id=7,
    alert_id=3,
    action=Action.OPENED,
    at=datetime(2026, 3, 2, 6, 45, tzinfo=UTC),
    who="keywatt",
    why="",
    kind="deviation",
    code="load-below-expected",
    figures={
        "load_kw": 120.5,
        "low_kw": 180.0,
        "high_kw": 260.0,
        "since_at": "2026-03-02T06:00:00+00:00",
    },
    opened_at=datetime(2026, 3, 2, 6, 45, tzinfo=UTC),
    account_code="steel",
    account_name="Nordhütte",
    point="Main feed",
    time_zone=ZoneInfo("Asia/Shanghai"),
)


def test_crews_get_json_as_the_schema_says() -> None:
    sent: list[tuple[str, bytes]] = []
    CrewTopic(lambda where, payload: sent.append((where, payload))).send(NOTICE)
    [(where, payload)] = sent
    assert where == "keywatt/crews/steel/alerts"
    message = json.loads(payload)
    jsonschema.validate(message, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert message["event_id"] == 7
    assert message["at"] == "2026-03-02T06:45:00Z"
    # 06:00 UTC is 14:00 in Shanghai.
    assert "below" in message["text"]
    assert "14:00" in message["text"]


def test_the_schema_refuses_a_message_without_its_event() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"action": "opened"}, SCHEMA)


def test_a_broker_that_does_not_take_it_is_a_delivery_error() -> None:
    def publish(_: str, __: bytes) -> None:
        raise ConnectionError("No broker at 127.0.0.1:1883")

    with pytest.raises(DeliveryError, match=r"steel/alerts: No broker at 127"):
        CrewTopic(publish).send(NOTICE)


def test_apprise_posts_account_and_sentence(webhook) -> None:
    AppriseUrl(webhook.url()).send(NOTICE)
    post = webhook.posts.get(timeout=5)
    assert post["title"] == "Load below expected: Nordhütte, Main feed"
    assert post["message"].startswith("Load 120.5 kW is below")


def test_what_a_person_did_is_told_with_name_time_and_reason() -> None:
    planned = replace(NOTICE, action=Action.PLANNED, who="anna", why="furnace relined")
    assert title(planned) == "Planned: Nordhütte, Main feed"
    # 06:45 UTC is 14:45 in Shanghai; 2026-03-02 is a Monday.
    assert body(planned).splitlines()[1] == (
        "Marked as planned by anna, Mon 2 Mar 14:45: furnace relined"
    )


def test_all_is_told_in_the_language_that_is_set() -> None:
    chinese = replace(NOTICE, language="zh")
    assert title(chinese) == "负荷低于预期: Nordhütte, Main feed"
    sent: list[bytes] = []
    CrewTopic(lambda _, payload: sent.append(payload)).send(chinese)
    message = json.loads(sent[0])
    assert message["text"] == body(chinese)
    assert message["text"].startswith("自 3月2日 14:00 起")
    # Codes and figures are for programs.
    assert message["code"] == "load-below-expected"
    assert message["figures"] == NOTICE.figures
    resolved = replace(chinese, action=Action.RESOLVED, why="已回到预期区间之内")
    assert title(resolved) == "已恢复: Nordhütte, Main feed"
    assert body(resolved).splitlines()[1] == "3月2日 14:45 恢复: 已回到预期区间之内"


@pytest.fixture
def program_log() -> Iterator[io.StringIO]:
    """All that a program logging everything would have in its log."""
    written = io.StringIO()
    handler, root = logging.StreamHandler(written), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.mark.parametrize("status", [500, 200])
def test_no_secret_is_logged_or_told(webhook, program_log, status) -> None:
    webhook.status = status
    url = f"json://anna:tulip77@127.0.0.1:{webhook.port}/hooks/k33psecret"
    channel = AppriseUrl(url)
    told = repr(channel)
    if status == 200:
        channel.send(NOTICE)
    else:
        with pytest.raises(DeliveryError, match="The json service") as error:
            channel.send(NOTICE)
        told += str(error.value)
    assert webhook.tried == 1
    for secret in ("tulip77", "k33psecret"):
        assert secret not in told + program_log.getvalue()


@pytest.mark.parametrize("url", ["nonsense", "foo://tulip77", "mailto://"])
def test_an_address_nobody_knows_is_said_without_showing_it(url, program_log) -> None:
    with pytest.raises(DeliveryError, match="no address that apprise knows") as error:
        AppriseUrl(url).send(NOTICE)
    assert "tulip77" not in str(error.value) + program_log.getvalue()


def test_a_code_without_its_sentence_is_still_told() -> None:
    unknown = replace(NOTICE, code="of-tomorrow", figures={})
    assert body(unknown) == "Alert deviation (of-tomorrow)."
    assert title(unknown) == "Alert deviation (of-tomorrow): Nordhütte, Main feed"
