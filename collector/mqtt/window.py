"""Messages taken from a broker and not yet done with: a bounded number, in their order.

MQTT wants acknowledgements in the order in which the messages came (3.1.1, section
4.6), and the embedded broker hangs up on any other. One message may be held back for
longer than those after it: theirs wait for its own.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

MOST_BYTES = 16 * 1024 * 1024


# Not frozen: that would make every message dearer by a microsecond.
@dataclass(slots=True)
class Taken:
    """One message of the present connection."""

    mid: int
    qos: int
    size: int
    is_done: bool = False


class Window:
    """Bounds what waits in memory, by messages and by bytes of payload."""

    def __init__(self, most_messages: int, most_bytes: int = MOST_BYTES) -> None:
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._messages = self._bytes = 0
        self._in_order: deque[Taken] = deque()

    @property
    def is_full(self) -> bool:
        """Whether no more may be taken."""
        return self._messages >= self._most_messages or self._bytes >= self._most_bytes

    @property
    def is_half_empty(self) -> bool:
        """Whether it is worth to take more again."""
        return (
            self._messages < self._most_messages // 2
            and self._bytes < self._most_bytes // 2
        )

    def close(self) -> None:
        """Be full from now on."""
        self._most_messages = 0

    def take(self, mid: int, qos: int, size: int) -> Taken:
        """Count a message that came."""
        taken = Taken(mid, qos, size)
        self._in_order.append(taken)
        self._messages += 1
        self._bytes += size
        return taken

    def done(self, taken: Taken) -> Iterator[Taken]:
        """Let go of a message; yield those that can be acknowledged now."""
        taken.is_done = True
        self._messages -= 1
        self._bytes -= taken.size
        while self._in_order and self._in_order[0].is_done:
            yield self._in_order.popleft()

    def forget_order(self) -> None:
        """Acknowledge none of these: the connection is gone, all of it comes again.

        They wait in memory all the same.
        """
        self._in_order.clear()
