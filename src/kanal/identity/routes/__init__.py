"""What can be asked of identity over HTTP."""

from kanal.identity.routes.account import account_router, public_router
from kanal.identity.routes.admin import admin_router
from kanal.identity.routes.invitations import invitation_router
from kanal.identity.routes.workspaces import workspace_router

ROUTERS = [public_router, account_router, workspace_router, invitation_router, admin_router]

__all__ = ["ROUTERS"]
