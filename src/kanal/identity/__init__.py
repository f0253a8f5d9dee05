"""Who may do what: users, sign-ins, API tokens, workspaces, members, invitations, and the audit log of all of it."""
