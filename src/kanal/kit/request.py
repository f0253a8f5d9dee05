"""What is known of the HTTP request that a task serves. No web framework: logs and settings need it everywhere."""

from __future__ import annotations

from contextvars import ContextVar, Token
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from kanal.kit import i18n

Network = IPv4Network | IPv6Network

_current: ContextVar[RequestContext] = ContextVar("request")


class RequestContext:
    """What is known of a request before anyone has looked at who sent it. ``locale`` may be refined by the account's."""

    __slots__ = ("account_locale", "client_ip", "id", "locale_asked", "user_agent", "workspace_id")

    def __init__(self, id_: str, locale_asked: tuple[str | None, str], client_ip: str, user_agent: str) -> None:
        self.id = id_
        self.locale_asked = locale_asked
        self.client_ip = client_ip
        self.user_agent = user_agent
        self.account_locale: str | None = None
        self.workspace_id: str | None = None

    @property
    def locale(self) -> str:
        lang, accept = self.locale_asked
        return i18n.choose({"lang": lang} if lang else None, self.account_locale, accept)


def current_request() -> RequestContext | None:
    """The request this task serves, if any."""
    return _current.get(None)


def bind(request: RequestContext) -> Token[RequestContext]:
    """From here on this is the task's request, until ``unbind``."""
    return _current.set(request)


def unbind(token: Token[RequestContext]) -> None:
    _current.reset(token)


def client_ip(scope: Any, trusted: tuple[Network, ...]) -> str:
    """Of an ASGI request: the nearest address that is not one of our proxies."""
    headers = dict(scope["headers"])
    peer = (scope.get("client") or ("", 0))[0]
    chain = [p.strip() for p in headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",") if p.strip()]
    address = peer
    while chain and _is_trusted(address, trusted):
        address = chain.pop()
    return str(address)[:45]


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
