from collector.mqtt.window import Window


def test_it_is_full_by_messages_and_half_empty_below_half() -> None:
    window = Window(4)
    taken = [window.take([mid], 1, 10) for mid in range(4)]
    assert not window.room
    for one in taken[:2]:
        window.done(one)
    assert window.room
    assert not window.is_half_empty
    window.done(taken[2])
    assert window.is_half_empty


def test_it_is_full_by_bytes() -> None:
    window = Window(1000, most_bytes=100)
    taken = [window.take([mid], 1, 40) for mid in range(3)]
    assert not window.room
    window.done(taken[0])
    assert window.room
    assert not window.is_half_empty
    window.done(taken[1])
    assert window.is_half_empty


def test_what_is_held_back_holds_the_later_ones_acknowledgements() -> None:
    window = Window(10)
    first, second, third = (window.take([mid], 1, 0) for mid in (1, 2, 3))
    assert window.done(second) == []
    assert window.done(first) == [1, 2]
    assert window.done(third) == [3]


def test_a_lost_connections_messages_are_not_acknowledged_but_still_waited_for() -> (
    None
):
    window = Window(2)
    old = window.take([1], 1, 0)
    window.forget_order()
    new = window.take([1], 1, 0)
    assert not window.room
    assert window.done(old) == []
    assert window.done(new) == [1]


def test_a_closed_window_takes_no_more() -> None:
    window = Window(2)
    window.close()
    assert not window.room
    assert not window.is_half_empty
