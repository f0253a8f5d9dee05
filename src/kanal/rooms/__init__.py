"""Team rooms: conversations between the members of a workspace."""
