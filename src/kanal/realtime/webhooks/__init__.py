"""Telling an app's backend what happens on its channels: signed, batched, in order, repeated until it is taken."""
