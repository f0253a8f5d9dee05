"""What is read about people and workspaces."""
