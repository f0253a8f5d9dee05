"""Kanal: a self-hosted, real-time workspace for teams that serve customers."""

__version__ = "0.1.0"
