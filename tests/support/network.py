"""Keeps tests on this machine: whoever looks up or connects to any other address gets an error that says so."""

import ipaddress
import sys
from typing import Any

LOCAL_NAMES = {"", "localhost", "testserver"}


class NetworkBlocked(RuntimeError):
    """A test tried to leave the machine."""


def block() -> None:
    """From now on only loopback addresses and Unix sockets, for all of this process's Python sockets."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise NetworkBlocked(f"a test connected to {address[0]}; tests use loopback addresses only")
    elif event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        raise NetworkBlocked(f"a test looked up {arguments[0]}; tests use loopback addresses only")


def _is_local(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name in LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
