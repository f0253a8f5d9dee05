"""Rules of this tree that no linter knows. Each says why it is there."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
WEB_SOURCES = sorted(
    path
    for path in (ROOT / "web/src").rglob("*")
    if path.suffix in {".vue", ".ts", ".css"} and ".test." not in path.name
)
GENERATED = {"schema.d.ts", "events.d.ts"}
LONGEST_MODULE = 500  # lines; a reader holds no more in mind
TOKENS = {"tokens.css"}  # the one place that names colours

COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3,4}){1,2}\b(?!\w)|\b(?:rgba?|hsla?|hwb|oklch|oklab|lab|lch)\(")
COMMENT = re.compile(r"/\*.*?\*/|<!--.*?-->|^\s*//.*?$|(?<=\s)//.*?$", re.DOTALL | re.MULTILINE)
MARKDOWN_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)")
MARKDOWN_CODE = re.compile(r"`([\w.@-]+(?:/[\w.@-]+)*/?)`")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_modules_are_short_enough_to_read() -> None:
    sizes = {
        path: len(path.read_text().splitlines()) for path in [*SOURCES, *WEB_SOURCES] if path.name not in GENERATED
    }
    assert [f"{path.relative_to(ROOT)} ({size})" for path, size in sizes.items() if size > LONGEST_MODULE] == []


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [str(path.relative_to(ROOT)) for path in [*SOURCES, *WEB_SOURCES] if path.stem in drawers] == []


def test_no_relationship_filters() -> None:
    """`.any()` and `.has()` write EXISTS over another table without the tenant filter."""
    found = [
        _where(path, node.lineno)
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"any", "has"}
    ]
    assert found == []


def test_no_error_is_swallowed_in_silence() -> None:
    """Who means to ignore an error says which one, with `contextlib.suppress`."""
    found = [
        _where(path, node.lineno)
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
    ]
    assert found == []


def test_colours_are_named_in_the_tokens_only() -> None:
    """A colour written elsewhere does not change with the theme."""
    found = []
    for path in WEB_SOURCES:
        if path.name in TOKENS:
            continue
        text = COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), path.read_text())
        found += [
            f"{_where(path, number)} {match[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            for match in COLOUR.finditer(line)
        ]
    assert found == []


def _documents() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).exists()]


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_only_paths_that_exist(document: Path) -> None:
    text = document.read_text()
    tops = {path.name for path in ROOT.iterdir()}
    missing = [link for link in MARKDOWN_LINK.findall(text) if not (document.parent / link).exists()]
    missing += [
        name
        for name in MARKDOWN_CODE.findall(text)
        if "/" in name.rstrip("/") and name.split("/")[0] in tops and not (ROOT / name).exists() and not _is_made(name)
    ]
    assert missing == []


def _is_made(name: str) -> bool:
    """Whether a path is written by a build or a run, and so not in a fresh checkout."""
    command = ["git", "check-ignore", "--quiet", "--no-index", name]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    "lock",
    sorted([*(ROOT / "requirements").glob("*.lock"), ROOT / "web/package-lock.json"]),
    ids=lambda path: path.name,
)
def test_lock_files_name_no_registry(lock: Path) -> None:
    """Packages come from whichever registry the machine is set up for; what they are is pinned by hash."""
    text = lock.read_text()
    assert [word for word in ("resolved", ".tgz", ".whl", "--index-url", "--find-links") if word in text] == []


def test_every_action_of_the_audit_log_has_words_on_the_page() -> None:
    """An action without them is shown by its bare name."""
    actions = set().union(*(_audited(_tree(path)) for path in SOURCES))
    words = json.loads((ROOT / "web/src/features/audit/locales/en.json").read_text())["action"]
    assert {action.replace(".", "_") for action in actions} == set(words)
    own = json.loads((ROOT / "web/src/features/settings/locales/en.json").read_text())["activity"]["action"]
    nobodys = {"account.reset_unknown"}  # there is no such account that could see it
    told = {action for action in actions - nobodys if action.startswith(("account.", "session.", "token."))}
    assert {action.replace(".", "_") for action in told} == set(own)


def _audited(tree: ast.Module) -> set[str]:
    """Names of actions in a module: given to `audit.record` or to a parameter `action`, or gathered as `…_ACTIONS`."""
    named = {
        n.targets[0].id: n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    }
    places = {
        node.name: [one.arg for one in node.args.args].index("action")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "action" in [one.arg for one in node.args.args]
    }
    given = [value for name, value in named.items() if name == "action" or name.endswith("_ACTIONS")]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        place = places.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if ast.unparse(call.func) == "audit.record":
            place = 2
        if place is not None and len(call.args) > place:
            argument = call.args[place]
            given.append(named.get(argument.id, argument) if isinstance(argument, ast.Name) else argument)
    texts = {n.value for value in given for n in ast.walk(value) if isinstance(n, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z]+\.[a-z_]+", text)}
