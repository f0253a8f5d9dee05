"""Signed HTTP API requests, prepared so that signing costs the load client nothing."""

import hashlib
import hmac
import json
import time
from collections.abc import Sequence

from bench.realtime.targets import Target


def prepare(target: Target, names: Sequence[str], batch: int, payload: int) -> bytes:
    """One request after another, each after a line with its size; every channel has its turn. Good for ten minutes."""
    count = max(len(names) // batch, 100)
    stamp = str(int(time.time()))
    data = f"@T{0:019}@".ljust(payload, "x")  # not a time: these deliveries are counted, not timed
    prepared = []
    for number in range(count):
        chosen = [names[(number * batch + index) % len(names)] for index in range(batch)]
        body: dict[str, object]
        if batch == 1:
            resource, body = "events", {"name": "m", "channels": chosen, "data": data}
        else:
            resource, body = (
                "batch_events",
                {"batch": [{"name": "m", "channel": each, "data": data} for each in chosen]},
            )
        request = _sign(target, f"/apps/{target.credentials.app_id}/{resource}", json.dumps(body).encode(), stamp)
        prepared.append(b"%d\n" % len(request) + request)
    return b"".join(prepared)


def _sign(target: Target, path: str, body: bytes, stamp: str) -> bytes:
    head = (
        f"POST {signed_path(target, path, body, stamp)} HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def signed_path(target: Target, path: str, body: bytes, stamp: str) -> str:
    """Path and query of a POST. `stamp` is the time in seconds."""
    known = target.credentials
    query = (
        f"auth_key={known.key}&auth_timestamp={stamp}&auth_version=1.0"
        f"&body_md5={hashlib.md5(body, usedforsecurity=False).hexdigest()}"
    )
    text = f"POST\n{path}\n{query}"
    signature = hmac.new(known.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{path}?{query}&auth_signature={signature}"
