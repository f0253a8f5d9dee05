"""What must hold of uploaded files. Pure: bytes and values in, answers out."""
