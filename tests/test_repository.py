"""The repository keeps its own promises: locks, versions, documents."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

import ips_outcomes

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DECLARED = {
    "run": PROJECT["project"]["dependencies"],
    "test": [*PROJECT["project"]["dependencies"], *EXTRAS["test"], *EXTRAS["notebooks"]],
}


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return {m[1].lower(): m[2] for m in re.finditer(r"^([A-Za-z0-9._\-]+)==([^\s;\\]+)", text, re.MULTILINE)}


@pytest.mark.parametrize("name", ["run", "test", "installer"])
def test_locks_have_hashes_and_name_no_index(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text and "index-url" not in text and "find-links" not in text
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries and all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("name", ["run", "test"])
def test_locks_hold_what_is_declared_within_its_bounds(name: str) -> None:
    versions = locked(name)
    for text in DECLARED[name]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(versions[wanted.name.lower()]), text
    assert "hatchling" in versions


def test_running_needs_no_tool_for_tests_or_notebooks() -> None:
    assert not locked("run").keys() & {
        "pytest",
        "hypothesis",
        "mypy",
        "ruff",
        "playwright",
        "jupyterlab",
        "nbclient",
        "causaldata",
        "pyspark",
    }


def test_tests_run_what_is_locked() -> None:
    from importlib import metadata

    wrong = {
        n: v
        for n, v in locked("test").items()
        if n in ("numpy", "pandas", "scipy", "lifelines", "statsmodels", "matplotlib") and metadata.version(n) != v
    }
    assert not wrong


def test_the_version_is_said_once_and_the_same_everywhere() -> None:
    version = ips_outcomes.__version__
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_declared_package_is_explained() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert [t for t in DECLARED["test"] if Requirement(t).name not in page] == []


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "docs/rules.md", "docs/estimators.md", "docs/dependencies.md"]
)
def test_links_in_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (path.parent / t).exists()] == []


def test_files_named_in_documents_exist() -> None:
    missing = []
    for document in ("README.md", "CONTRIBUTING.md", "docs/dependencies.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for name in re.findall(r"`((?:tests|scripts|docs|requirements|notebooks|data|ips_outcomes)/[\w/.\-]+)`", text):
            if "NAME" not in name and not (ROOT / name).exists():
                missing.append((document, name))
    assert missing == []


def test_make_targets_are_one_line_calls_of_scripts() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if re.match(r"^[a-z]+:\s", line)]
    assert {line.split(":")[0] for line in lines} >= {"demo", "test"}
    assert all(re.match(r"^[a-z]+:\s+; \$\(PYTHON\) ", line) for line in lines)


def test_no_path_of_a_machine_is_committed() -> None:
    home = str(ROOT.parent)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the committed files cannot be listed")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".ipynb", ".txt", ".cff", ".csv", ".R", "") and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert len(home) < 4 or home + "/" not in text.replace('"' + home + '/"', ""), name
