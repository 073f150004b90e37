"""An MQTT client on our event loop: the loop watches its socket like any other.

So no message changes threads, and its callbacks run where everything else runs.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from typing import Any

from collector.mqtt.broker import BrokerAddress
from collector.mqtt.gulping import Events, GulpingClient


class MqttClient:
    """One client of one broker; knows nothing of when to connect again."""

    def __init__(
        self,
        broker: BrokerAddress,
        events: Events,
        *,
        client_id: str,
        is_persistent: bool,
        keep_alive_s: int,
    ) -> None:
        self._broker, self._events, self._keep_alive_s = broker, events, keep_alive_s
        self._socket: socket.socket | None = None
        self._is_paused = False
        self._paho = GulpingClient(
            broker, events, client_id=client_id, is_persistent=is_persistent
        )
        self._paho.on_socket_close = self._on_socket_close
        self._paho.on_socket_register_write = self._on_want_write
        self._paho.on_socket_unregister_write = self._on_want_no_write

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self._paho.is_connected()

    @property
    def last_error(self) -> OSError | None:
        """What the socket said when the connection was lost, if it said anything."""
        return self._paho.last_error

    # -- what is asked of it

    async def open(self) -> None:
        """Let paho connect, which blocks, in a thread; then watch its socket.

        The broker's answer comes by `on_login`.

        Raises
        ------
        OSError
            Nobody answers, the host is unknown, or TLS failed.

        """
        opening = asyncio.get_running_loop().run_in_executor(
            None,
            self._paho.connect,
            self._broker.host,
            self._broker.port,
            self._keep_alive_s,
        )
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_late)
            raise
        sock = self._paho.socket()
        if not isinstance(sock, socket.socket):  # only over WebSockets, not used
            raise TypeError("paho gave no plain socket")
        self._socket = sock
        self._is_paused = False
        self._watch()
        if self._paho.want_write():
            self._on_want_write(self._paho, None, sock)

    def subscribe(self, topics: Sequence[str], qos: int) -> None:
        """Subscribe; the answer comes by `on_grants`."""
        if topics:
            self._paho.ask_for(topics, qos)

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Have no more messages of these topics."""
        if topics:
            self._paho.unsubscribe(list(topics))

    def publish(self, topic: str, payload: bytes) -> int:
        """Publish at QoS 1, now or when connected again; return its number."""
        return self._paho.publish(topic, payload, qos=1).mid

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Acknowledge messages, in one packet of the network."""
        self._paho.send_acknowledgements(mids)

    def pause(self) -> None:
        """Leave further messages with the broker."""
        self._is_paused = True
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)

    def resume(self) -> None:
        """Hand over what was read already, then read on."""
        self._is_paused = False
        self._paho.hand_over()
        if not self._is_paused:
            self._watch()

    def tick(self) -> None:
        """Keep the connection alive: to be called about once a second."""
        if self._is_paused:  # the broker's answers wait behind what is not read
            self._paho.believe_alive()
        self._paho.loop_misc()

    def hang_up(self) -> None:
        """Send what is due, acknowledgements above all, and close."""
        self._paho.disconnect()
        self._paho.loop_write()  # sends what waits, DISCONNECT last, and closes
        if self._socket is not None:  # the broker does not read: leave without a word
            sock = self._socket
            self._on_socket_close(self._paho, None, sock)
            sock.close()

    async def close(self) -> None:
        """Hang up such that the broker reads our last words."""
        line = None if self._socket is None else socket.socket(fileno=_twin_of(self))
        self.hang_up()
        if line is None:
            return
        # paho has closed its end; ours is open until the broker's is. To close it with
        # messages unread would reset it, and the broker might lose our last words.
        line.setblocking(False)
        with contextlib.suppress(OSError), contextlib.closing(line):
            async with asyncio.timeout(1):
                while await asyncio.get_running_loop().sock_recv(line, 1 << 16):
                    pass

    # -- the socket, watched by the event loop

    def fileno(self) -> int:
        """Return the number of the open socket."""
        return -1 if self._socket is None else self._socket.fileno()

    def _watch(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._socket, self._paho.loop_read)

    def _close_late(self, opening: asyncio.Future[Any]) -> None:  # Any: paho's code
        if not opening.cancelled() and opening.exception() is None:
            self.hang_up()

    def _on_want_write(self, _client: object, _data: object, _sock: object) -> None:
        # Not yet ours while paho connects in its thread: `open` looks afterwards.
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.add_writer(self._socket, self._paho.loop_write)

    def _on_want_no_write(self, _client: object, _data: object, _sock: object) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_writer(self._socket)

    def _on_socket_close(self, _client: object, _data: object, _sock: object) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket = None


def _twin_of(client: MqttClient) -> int:
    """Return a second descriptor of a client's connection, below any TLS."""
    return socket.dup(client.fileno())
