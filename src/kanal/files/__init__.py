"""Uploaded files: taken in with suspicion, kept for a workspace, handed to whoever the domain that holds them lets read.

A layer of its own below the domains that attach files to what they keep (docs/decisions/0004).
"""
