"""What is generated from the code: the OpenAPI document, event types, the configuration reference."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

import msgspec
import typer

app = typer.Typer(help="Print what is generated from the code.", no_args_is_help=True)


@app.command()
def openapi() -> None:
    """The OpenAPI document."""
    import tempfile

    from kanal import settings
    from kanal.entrypoints.asgi import litestar_app
    from kanal.entrypoints.bootstrap import build

    with tempfile.TemporaryDirectory() as folder:
        node = build(settings.load({"KANAL_DATA": folder}, env_file=None))
        document = litestar_app(node).openapi_schema.to_schema()
    _print(msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=1))


@app.command()
def events() -> None:
    """TypeScript types of the event catalogue."""
    import kanal.identity.events
    import kanal.rooms.events  # noqa: F401 - both fill the catalogue
    from kanal.entrypoints.typescript import event_types
    from kanal.kit.events import CATALOGUE

    _print(event_types(CATALOGUE).encode())


@app.command()
def configuration() -> None:
    """The configuration reference, as Markdown."""
    from kanal.settings import SECTIONS

    lines = [
        "# Configuration",
        "",
        "Every setting is an environment variable; a file `.env` in the working folder is read too. Nothing is required",
        "on a laptop. This page is generated from `src/kanal/settings/sections.py` (`make generate`).",
        "",
    ]
    for name, section in SECTIONS.items():
        lines += [f"## {name.capitalize()}", "", (section.__doc__ or "").strip(), ""]
        lines += ["| variable | default | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{v}` | {_cell(default)} | {doc} |" for v, default, doc in _rows(section)]
        lines.append("")
    _print("\n".join(lines).encode())


@app.command()
def env() -> None:
    """A template for `.env`."""
    from kanal.settings import SECTIONS

    lines = ["# Copy to .env and uncomment what you change. Generated from src/kanal/settings/sections.py."]
    for section in SECTIONS.values():
        lines += ["", f"# {(section.__doc__ or '').strip()}"]
        for variable, default, doc in _rows(section):
            lines += [f"# {doc}", f"#{variable}={default}"]
    _print(("\n".join(lines) + "\n").encode())


def _rows(section: type[Any]) -> list[tuple[str, str, str]]:
    rows = []
    for item in fields(section):
        default = item.metadata["shown"] or item.default
        text = {True: "true", False: "false"}.get(default, str(default)) if isinstance(default, bool) else str(default)
        rows.append((item.metadata["variable"], text, item.metadata["doc"]))
    return rows


def _cell(default: str) -> str:
    return f"`{default}`" if default else "none"


def _print(content: bytes) -> None:
    sys.stdout.buffer.write(content if content.endswith(b"\n") else content + b"\n")
