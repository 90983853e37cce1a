"""The command as a user meets it: help, exit codes, what goes where, and folders that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import ips_outcomes as ips
from ips_outcomes.cli import main

COMMANDS = ("run", "demo", "check", "simulate", "export", "compare", "count", "layouts", "pseudonymise")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A small study without subgroups, in a folder with a name that breaks careless paths."""
    folder = tmp_path_factory.mktemp("cli") / "Blåbær og øl" / "studie Æ"
    path = ips.simulate_study(folder, seed=5, participants=40)
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?ms)^\[subgroups\..*?(?=^\[disclosure)", "", text)
    text = text.replace("months = 43", "months = 18").replace("[12, 18, 43]", "[12]")
    text = text.replace('"Usual care"', '"<b>&\\"\' care"').replace('title = "', 'title = "<script>alert(1)</script> & ')
    text = text.replace('"Centre A"', '"<i>A & B</i>"').replace('label = "Ordinary work"', 'label = "<u>Ordinary & work"')
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def report(whole, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One real run, in a process of its own."""
    out = tmp_path_factory.mktemp("out") / "rapport ø"
    return out, process("run", str(whole / "study.toml"), "--out", str(out))


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-m", "ips_outcomes.cli", *arguments], capture_output=True, encoding="utf-8", env=environment, check=False
    )  # fmt: skip


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def prints(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def test_help_of_the_whole_and_of_each_command():
    text = call("--help").stdout
    assert "Exit codes" in text
    assert all(f"  {command} " in text for command in COMMANDS)
    for command in COMMANDS:
        result = call(command, "--help")
        assert result.exit_code == call(command, "-h").exit_code == 0
        assert result.stdout.startswith(f"Usage: main {command}")
        assert max(map(len, result.stdout.splitlines())) <= 100
    assert ips.__version__ in call("--version").stdout


@pytest.mark.parametrize("arguments", [
    ("nonsense",), ("run",), ("run", "study.toml"), ("check",), ("check", "a", "b"), ("check", "a", "--quiet"),
    ("simulate", "--out", "x"), ("simulate", "--out", "x", "--seed", "-1"), ("simulate", "--out", "x", "--seed", "many"),
    ("simulate", "--out", "x", "--seed", "1", "--participants", "3"), ("export", "a"), ("export", "a", "--out", "x", "--format", "xls"), ("compare", "a"), ("--nonsense",),
])  # fmt: skip
def test_wrong_usage_is_exit_code_2(arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = "{'pandas', 'numpy', 'matplotlib', 'pydantic', 'lifelines', 'scipy', 'pyreadstat', 'pandera', 'jinja2'}"
    code = (
        "import sys, ips_outcomes, ips_outcomes.cli as c\n"
        "try:\n    c.main(['--help'])\nexcept SystemExit as e:\n    assert e.code == 0\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_run_prints_the_page_last_and_progress_apart(report):
    out, done = report
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out / "release" / "report.html")
    assert (out / "release" / "report.html").is_file()
    assert "Reading the extracts" in done.stderr
    assert "Reading the extracts" not in done.stdout
    assert sorted(p.name for p in out.parent.iterdir()) == [out.name]


def test_names_of_the_study_are_escaped_in_the_page(report):
    page = (report[0] / "internal" / "report.html").read_text(encoding="utf-8")
    for raw in ("<script>alert", "<b>&", "<i>A", "<u>Ordinary"):
        assert raw not in page
    assert "&lt;script&gt;alert(1)" in page


def test_run_that_fails_leaves_the_earlier_report_as_it_was(whole, report, tmp_path):
    out = Path(shutil.copytree(report[0], tmp_path / "out"))
    study = Path(shutil.copytree(whole, tmp_path / "study"))
    before = prints(out)
    (study / "extracts" / "f_demo.csv").write_bytes(b"")
    result = call("run", study / "study.toml", "--out", out)
    assert result.exit_code == 1
    assert "f_demo.csv" in result.stderr
    assert result.stdout == ""
    assert prints(out) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "study"]


def test_first_run_that_fails_leaves_nothing(whole, tmp_path):
    study = Path(shutil.copytree(whole, tmp_path / "study"))
    (study / "extracts" / "f_demo.csv").write_bytes(b"")
    assert call("run", study, "--out", tmp_path / "out").exit_code == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study"]


def test_out_that_is_something_else_is_refused_and_untouched(whole, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    before = prints(tmp_path)
    for out, said in [("mine", "choose another folder"), ("file", "is a file"), ("file/deeper", "file")]:
        for arguments in (("run", whole), ("simulate", "--seed", 1, "--participants", 20)):
            result = call(*arguments, "--out", tmp_path / out)
            assert result.exit_code == 1
            assert said in result.stderr if arguments[0] == "run" else result.stderr
            assert prints(tmp_path) == before


def test_names_that_no_file_system_takes(whole, tmp_path):
    assert call("check", "x" * 300).exit_code == 1
    assert call("run", whole, "--out", tmp_path / ("x" * 300)).exit_code == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written(whole, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = call("run", whole, "--out", tmp_path / "locked" / "out")
    assert result.exit_code == 1
    assert "permission denied" in result.stderr


def test_real_process_ends_in_a_message_and_not_a_traceback(tmp_path):
    done = process("check", str(tmp_path / "nowhere.toml"))
    assert done.returncode == 1
    assert "there is no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_arm_study_is_written_and_sound(tmp_path):
    written = call("simulate", "--out", tmp_path / "one", "--seed", 5, "--participants", 40, "--one-arm")
    assert written.exit_code == 0
    path = written.stdout.strip()
    assert path == str(tmp_path / "one" / "study.toml")
    checked = call("check", path)
    assert checked.exit_code == 0
    assert "40 participants" in checked.stdout
