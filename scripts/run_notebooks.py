"""Run the notebooks and keep their outputs, or check that the kept outputs still come out.

    python scripts/run_notebooks.py                  run every notebook, write the outputs into it
    python scripts/run_notebooks.py --check          run, write nothing, compare texts and tables
    python scripts/run_notebooks.py notebooks/x.ipynb    this one only (both ways)

The kernel is the Python that runs this script: no kernel has to be registered.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]
FIGURES = "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'dpi': 110}"
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class ThisPython(KernelSpecManager):
    """Whatever kernel a notebook asks for, it gets this Python."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def run(path: Path, timeout: int = 300) -> Any:
    """The notebook as it comes out of a run, without what differs from machine to machine."""
    notebook: Any = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as home:  # no settings, start-up files or history of the person who runs it
        manager = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=ThisPython(), connection_file=str(Path(home) / "kernel.json"),
            transport="tcp" if os.name == "nt" else "ipc",
        )  # fmt: skip
        client = NotebookClient(
            notebook, km=manager, timeout=timeout, resources={"metadata": {"path": str(path.parent)}},
            record_timing=False, extra_arguments=[FIGURES, "--InteractiveShell.colors=NoColor"],
        )  # fmt: skip
        client.execute(
            cleanup_kc=True, env={**os.environ, "IPYTHONDIR": home, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        )
    return clean(notebook, path)


def clean(notebook: Any, path: Path) -> Any:
    """Leave out counts, times, versions and warnings; warnings are told on stderr."""
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    })  # fmt: skip
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        kept: list[Any] = []
        for output in cell.outputs:
            if output.get("name") == "stderr":
                print(f"{path.name}, {cell.id}: {output.text.strip()}", file=sys.stderr)
                continue
            if "execution_count" in output:
                output.execution_count = None
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            if kept and output.get("name") == kept[-1].get("name") == "stdout":
                kept[-1].text += output.text  # the kernel may send one print in two pieces
                continue
            kept.append(output)
        cell.outputs = kept
    return notebook


def texts(cell: Any) -> list[dict[str, str]]:
    """What a cell says: printed text and tables; of a picture only that there is one."""
    said: list[dict[str, str]] = []
    for output in cell.get("outputs", []):
        if "text" in output:
            said.append({"printed": output.text})
        else:
            data = output.get("data", {})
            picture = any(kind.startswith("image/") for kind in data)
            said.append({"picture": ""} if picture else {k: ADDRESS.sub("", str(v)) for k, v in data.items()})
    return said


def machine_paths(notebook: Any) -> list[str]:
    """Cells whose outputs name a folder of this machine."""
    places = {str(ROOT), sys.prefix, tempfile.gettempdir() + "/"}
    return [
        f"{cell.id}: a path of this machine in the output"
        for cell in notebook.cells
        if any(place in str(texts(cell)) for place in places)
    ]


def check(path: Path) -> list[str]:
    """Cells that come out differently from what the file holds."""
    kept: Any = nbformat.read(path, as_version=4)
    fresh = run(path)
    differing = []
    for old, new in zip(kept.cells, fresh.cells, strict=True):
        if texts(old) != texts(new):
            differing.append(f"{old.id}: kept {texts(old)!s:.600}\n    now {texts(new)!s:.600}")
    return differing


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the notebooks, or check their outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in notebooks/")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args(arguments)
    complaints = []
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        try:
            if options.check:
                found = check(path.resolve())
            else:
                notebook = run(path.resolve())
                found = machine_paths(notebook)
                if not found:
                    nbformat.write(notebook, path)
        except CellExecutionError as error:
            found = [str(error)]
        complaints += [f"{path.name}, {complaint}" for complaint in found]
        print(f"{path.name}: {'differs or fails' if found else 'as kept' if options.check else 'written'}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
