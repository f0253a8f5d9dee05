"""What every HTTP route shares: request context, the one error form, paging."""

from kanal.kit.request import RequestContext, current_request
from kanal.kit.web.context import RequestContextMiddleware
from kanal.kit.web.errors import exception_handlers
from kanal.kit.web.schema import Body, Items, Page

__all__ = [
    "Body",
    "Items",
    "Page",
    "RequestContext",
    "RequestContextMiddleware",
    "current_request",
    "exception_handlers",
]
