"""Messages taken from a broker and not yet done with: a bounded number, in their order.

MQTT wants acknowledgements in the order in which the messages came (3.1.1, section
4.6), and the embedded broker hangs up on any other. Messages that came together are
done with together; they may be held back for longer than those after them: theirs
wait for their own.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

MOST_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Taken:
    """Messages of the present connection that came together."""

    mids: Sequence[int]
    """Of those that are to be acknowledged."""
    messages: int
    size: int
    is_done: bool = False


class Window:
    """Bounds what waits in memory, by messages and by bytes of payload."""

    def __init__(self, most_messages: int, most_bytes: int = MOST_BYTES) -> None:
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._messages = self._bytes = 0
        self._in_order: deque[Taken] = deque()

    @property
    def room(self) -> int:
        """How many more messages may be taken."""
        if self._bytes >= self._most_bytes:
            return 0
        return max(self._most_messages - self._messages, 0)

    @property
    def is_half_empty(self) -> bool:
        """Whether it is worth to take more again."""
        return (
            self._messages < (self._most_messages + 1) // 2
            and self._bytes < self._most_bytes // 2
        )

    def close(self) -> None:
        """Be full from now on."""
        self._most_messages = 0

    def take(self, mids: Sequence[int], messages: int, size: int) -> Taken:
        """Count messages that came together."""
        taken = Taken(mids, messages, size)
        self._in_order.append(taken)
        self._messages += messages
        self._bytes += size
        return taken

    def done(self, taken: Taken) -> list[int]:
        """Let go of messages; return those that can be acknowledged now."""
        taken.is_done = True
        self._messages -= taken.messages
        self._bytes -= taken.size
        mids: list[int] = []
        while self._in_order and self._in_order[0].is_done:
            mids += self._in_order.popleft().mids
        return mids

    def forget_order(self) -> None:
        """Acknowledge none of these: the connection is gone, all of it comes again.

        They wait in memory all the same.
        """
        self._in_order.clear()
