"""The notebooks still give the outputs they were committed with."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NEEDED = ("nbclient", "nbformat", "ipykernel", "causaldata")
MISSING = [name for name in NEEDED if find_spec(name) is None]


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "run_notebooks.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


needs_notebooks = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (pip install 'ips-outcomes[notebooks]')"
)


@pytest.mark.slow
@needs_notebooks
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_come_out_as_committed(path: Path) -> None:
    done = _run("--check", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_traces_of_a_run(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}, cell["id"]
        if cell["cell_type"] == "code":
            assert cell["execution_count"] is None, cell["id"]
            assert all(output.get("name") != "stderr" for output in cell["outputs"]), cell["id"]
    assert str(ROOT) not in path.read_text(encoding="utf-8")


@pytest.mark.slow
@needs_notebooks
@pytest.mark.parametrize(
    ("source", "kept", "said"),
    [("print(1 + 1)", "3\n", "cell-01"), ("raise ValueError('no')", "", "no")],
    ids=["differs", "fails"],
)
def test_check_names_notebook_and_cell(tmp_path: Path, source: str, kept: str, said: str) -> None:
    cell = {
        "cell_type": "code", "id": "cell-01", "metadata": {}, "execution_count": None, "source": source,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": kept}],
    }  # fmt: skip
    path = tmp_path / "wrong.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    before = path.read_bytes()
    done = _run("--check", path)
    assert done.returncode == 1
    assert "wrong.ipynb" in done.stderr
    assert said in done.stderr
    assert path.read_bytes() == before
