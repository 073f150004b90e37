"""A web service on loopback that notes what is posted to it; for apprise's json://."""

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Webhook:
    """Where it listens, what came, and how it answers."""

    port: int
    posts: queue.Queue[dict[str, str]] = field(default_factory=queue.Queue)
    """What was taken, as JSON; its path stands under `path`."""
    status: int = 200
    tried: int = 0

    def url(self, path: str = "/alerts") -> str:
        """Where apprise posts to."""
        return f"json://127.0.0.1:{self.port}{path}"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A web service that takes everything until its `status` says otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            post = json.loads(self.rfile.read(size))
            hook.tried += 1
            self.send_response(hook.status)
            self.end_headers()
            if hook.status == 200:
                hook.posts.put({**post, "path": self.path})

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield hook
        server.shutdown()
        thread.join()
