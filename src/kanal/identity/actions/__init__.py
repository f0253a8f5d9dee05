"""What can happen to people and workspaces. Each function checks, changes, writes the audit log and announces; none commits."""
