"""TypeScript types of the event catalogue, from the same structs that are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

HEADER = "// Generated from the event catalogue (`make generate`). Do not edit.\n"


def event_types(catalogue: Mapping[str, Any]) -> str:
    """``EventPayloads`` maps each event's name to its payload; every event also carries its sequence and id."""
    payloads = [kind.payload for kind in catalogue.values()]
    _, components = msgspec.json.schema_components(payloads, ref_template="{name}")
    blocks = [HEADER]
    blocks += [_declare(name, components[name]) for name in sorted(components)]
    lines = ["export interface EventPayloads {"]
    for name in sorted(catalogue):
        lines += [f"  /** {catalogue[name].summary} */", f'  "{name}": Logged & {catalogue[name].payload.__name__}']
    lines.append("}")
    blocks += [
        "/** What every event carries: its place in the log. */\nexport interface Logged {\n  sequence: number\n  id: string\n}\n",
        "\n".join(lines) + "\n",
        "export type EventName = keyof EventPayloads\n",
    ]
    return "\n".join(blocks)


def _declare(name: str, schema: dict[str, Any]) -> str:
    if schema.get("type") != "object":
        return f"export type {name} = {_type(schema)}\n"
    required = set(schema.get("required", ()))
    lines = []
    if "description" in schema and "\n" not in schema["description"]:
        lines.append(f"/** {schema['description']} */")
    lines.append(f"export interface {name} {{")
    for key, value in schema.get("properties", {}).items():
        # A field with a default is still always sent, unless the struct leaves defaults out.
        optional = "" if key in required or "default" not in value else "?"
        lines.append(f"  {key}{optional}: {_type(value)}")
    lines.append("}\n")
    return "\n".join(lines)


_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"])
    if "anyOf" in schema:
        return " | ".join(_type(s) for s in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(msgspec.json.encode(v).decode() for v in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return f"({_type(schema.get('items', {}))})[]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    return _SIMPLE.get(str(kind), "unknown")
