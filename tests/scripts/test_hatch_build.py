"""The web app is built when its sources changed, and only then."""

from pathlib import Path

import pytest

import hatch_build


class Npm:
    """Stands in for npm: notes what was asked, and leaves behind what the real one would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []

    def __call__(self, folder: Path, *arguments: str) -> None:
        self.asked.append(arguments[0] + (" production" if "--omit=dev" in arguments else ""))
        made = self.root / hatch_build.STATIC if arguments[0] == "run" else folder / "node_modules"
        made.mkdir(parents=True, exist_ok=True)
        (made / "index.html").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "index.html", "src/main.ts", "src/main.test.ts"):
        (web / name).write_text("1")
    return tmp_path


@pytest.fixture
def npm(root: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    npm = Npm(root)
    monkeypatch.setattr(hatch_build, "run_npm", npm)
    return npm


def test_a_first_build_installs_only_what_building_takes(root: Path, npm: Npm) -> None:
    hatch_build.build(root)
    assert npm.asked == ["ci production", "run"]


def test_an_unchanged_tree_is_not_built_again(root: Path, npm: Npm) -> None:
    hatch_build.build(root)
    npm.asked.clear()
    (root / "web/src/main.test.ts").write_text("2")
    hatch_build.build(root)
    assert npm.asked == []


def test_a_changed_source_is_built_with_the_packages_that_are_there(root: Path, npm: Npm) -> None:
    hatch_build.build(root)
    npm.asked.clear()
    (root / "web/src/main.ts").write_text("2")
    hatch_build.build(root)
    assert npm.asked == ["run"]


def test_a_lost_build_is_made_again(root: Path, npm: Npm) -> None:
    hatch_build.build(root)
    npm.asked.clear()
    (root / hatch_build.STATIC / "index.html").unlink()
    hatch_build.build(root)
    assert npm.asked == ["run"]


def test_a_changed_lock_file_installs_again(root: Path, npm: Npm) -> None:
    hatch_build.build(root)
    npm.asked.clear()
    (root / "web/package-lock.json").write_text("2")
    hatch_build.build(root)
    assert npm.asked == ["ci production", "run"]


def test_development_packages_serve_a_build_but_not_the_other_way_round(root: Path, npm: Npm) -> None:
    hatch_build.install(root / "web", production=False)
    hatch_build.install(root / "web", production=True)
    assert npm.asked == ["ci"]
    (root / "web/node_modules/.kanal-install").unlink()
    npm.asked.clear()
    hatch_build.install(root / "web", production=True)
    hatch_build.install(root / "web", production=False)
    assert npm.asked == ["ci production", "ci"]
