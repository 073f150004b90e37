from datetime import UTC, datetime, timedelta

import pytest

from alerts.meter_silent import judge_silence, limit_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOON - timedelta(days=100)


@pytest.mark.parametrize(
    ("every_s", "speed", "minutes"),
    [
        pytest.param(10.0, 1.0, 15, id="two periods are less than a quarter-hour"),
        pytest.param(450.0, 1.0, 15, id="just as long"),
        pytest.param(900.0, 1.0, 30, id="a quarter-hour each"),
        pytest.param(86_400.0, 1.0, 2880, id="once a day"),
        pytest.param(1.0, 60.0, 15, id="a demo: two periods are 2 min there"),
        pytest.param(10.0, 60.0, 20, id="a demo: two periods are 20 min there"),
        pytest.param(0.1, 600.0, 100, id="a fast demo: 10 s to be stored are 100 min"),
    ],
)
def test_two_periods_or_a_quarter_hour_whichever_is_longer(
    every_s, speed, minutes
) -> None:
    assert limit_of(every_s, speed) == minutes * MINUTE


@pytest.mark.parametrize(
    ("heard_at", "installed_at", "code", "since", "proven_at"),
    [
        pytest.param(NOON - MINUTE, LONG_AGO, None, None, None, id="speaks"),
        pytest.param(
            NOON - 15 * MINUTE + timedelta(seconds=1), LONG_AGO, None, None, None,
            id="not yet",
        ),
        pytest.param(
            NOON - 15 * MINUTE, LONG_AGO, "meter-silent", NOON - 15 * MINUTE, NOON,
            id="just now",
        ),
        pytest.param(
            NOON - 60 * MINUTE, LONG_AGO, "meter-silent", NOON - 60 * MINUTE,
            NOON - 45 * MINUTE,
            id="nobody looked for an hour: it is told as of its own time",
        ),
        pytest.param(None, NOON - MINUTE, None, None, None, id="just installed"),
        pytest.param(
            None, LONG_AGO, "meter-never-heard", LONG_AGO, NOON,
            id="never heard: who knows when it was entered",
        ),
        pytest.param(
            LONG_AGO, NOON - 20 * MINUTE, "meter-never-heard", NOON - 20 * MINUTE, NOON,
            id="heard where it sat before",
        ),
        pytest.param(NOON + MINUTE, LONG_AGO, None, None, None, id="clocks differ"),
    ],
)  # fmt: skip
def test_a_meter_is_silent_since_it_was_heard_last(
    heard_at, installed_at, code, since, proven_at
) -> None:
    silence = judge_silence(heard_at, installed_at, NOON, 15 * MINUTE)
    if code is None:
        assert silence is None
        return
    assert silence is not None
    found = (silence.code, silence.since, silence.proven_at)
    assert found == (code, since, proven_at)


@pytest.mark.parametrize(
    ("heard_at", "offline_at", "online_at", "code", "proven_at"),
    [
        pytest.param(
            NOON - MINUTE, NOON - MINUTE / 2, None, "meter-offline", NOON - MINUTE / 2,
            id="at once",
        ),
        pytest.param(
            None, NOON - MINUTE, None, "meter-offline", NOON - MINUTE,
            id="never heard, and gone",
        ),
        pytest.param(
            NOON - 60 * MINUTE, NOON - 50 * MINUTE, None, "meter-offline",
            NOON - 50 * MINUTE,
            id="silent long enough as well: why is known",
        ),
        pytest.param(
            NOON - 60 * MINUTE, None, NOON - MINUTE, None, None,
            id="just back: its next reading is not due yet",
        ),
        pytest.param(
            NOON - 60 * MINUTE, None, NOON - 20 * MINUTE, "meter-silent",
            NOON - 5 * MINUTE,
            id="back for longer than it may be quiet",
        ),
        pytest.param(
            NOON - MINUTE, None, NOON - 20 * MINUTE, None, None, id="online and heard"
        ),
        pytest.param(
            NOON - 15 * MINUTE, None, NOON - 90 * MINUTE, "meter-silent", NOON,
            id="online and yet silent",
        ),
    ],
)  # fmt: skip
def test_a_last_will_is_believed_at_once(
    heard_at, offline_at, online_at, code, proven_at
) -> None:
    silence = judge_silence(
        heard_at,
        LONG_AGO,
        NOON,
        15 * MINUTE,
        offline_at=offline_at,
        online_at=online_at,
    )
    if code is None:
        assert silence is None
        return
    assert silence is not None
    assert (silence.code, silence.proven_at) == (code, proven_at)
    assert silence.offline_at == offline_at
    assert silence.since == (heard_at or LONG_AGO)


def test_what_is_offline_where_it_is_put_is_so_from_then_on() -> None:
    told = judge_silence(
        None, NOON - MINUTE, NOON, 15 * MINUTE, offline_at=NOON - 60 * MINUTE
    )
    assert told is not None
    assert (told.proven_at, told.offline_at) == (NOON - MINUTE, NOON - 60 * MINUTE)
