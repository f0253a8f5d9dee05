"""Where apps come from: settings, a file, the database. ``registry`` holds them all and tells what changes."""
