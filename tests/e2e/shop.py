"""Somebody else's web shop, whose pages use Pusher's libraries against our nodes.

Its server part signs with Pusher's own SDK, and serves the libraries as their packages have them.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pusher

from kanal.realtime.apps import App

APP = App(
    id="2002",
    key="shop-key",
    secret="shop-secret",
    encryption_master_key=b"0123456789abcdef" * 2,
    subscription_counts=True,
)
MASTER = base64.b64encode(APP.encryption_master_key or b"").decode()
APPS = json.dumps(
    [
        {
            "id": APP.id,
            "key": APP.key,
            "secret": APP.secret,
            "encryption_master_key": MASTER,
            "subscription_counts": True,
        },
        {"id": "2003", "key": "closed-key", "secret": "closed-secret", "enabled": False},
    ]
)
PAGE = Path(__file__).with_name("shop.html")
SCRIPTS = {
    "/pusher.js": "pusher-js/dist/web/pusher.js",
    "/pusher-with-encryption.js": "pusher-js/dist/web/pusher-with-encryption.js",
    "/echo.js": "laravel-echo/dist/echo.iife.js",
}


def sdk(port: int) -> Any:
    """Pusher's Python library, for the node at this port."""
    return pusher.Pusher(
        app_id=APP.id,
        key=APP.key,
        secret=APP.secret,
        ssl=False,
        host="127.0.0.1",
        port=port,
        encryption_master_key_base64=MASTER,
    )


class Shop:
    """Listens on a port of its own until ``close``. Who asks is who the address says: ``?user=ayu``."""

    def __init__(self, packages: Path) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(packages))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(packages: Path) -> type[BaseHTTPRequestHandler]:
    signer = sdk(1)  # only signs

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/":
                self._answer(PAGE.read_bytes(), "text/html; charset=utf-8")
            elif path in SCRIPTS:
                self._answer((packages / SCRIPTS[path]).read_bytes(), "text/javascript")
            else:
                self._answer(b"", "image/x-icon")

        def do_POST(self) -> None:
            address = urlsplit(self.path)
            user = parse_qs(address.query)["user"][0]
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            socket_id = form["socket_id"][0]
            if user == "nobody":
                self.send_error(403)
            elif address.path == "/user-auth":
                watched = parse_qs(address.query).get("watch", [])
                self._json(signer.authenticate_user(socket_id, {"id": user, "watchlist": watched}))
            else:
                self._json(_sign(signer, socket_id, form["channel_name"][0], user))

        def _json(self, content: Any) -> None:
            self._answer(json.dumps(content, default=bytes.decode).encode(), "application/json")

        def _answer(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            """Tests read what the page tells."""

    return Handler


def _sign(signer: Any, socket_id: str, channel: str, user: str) -> Any:
    member = {"user_id": user, "user_info": {"name": user.title()}} if channel.startswith("presence-") else None
    return signer.authenticate(channel, socket_id, member)
