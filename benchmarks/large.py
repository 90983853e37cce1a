"""The large sizes: 10 million spells, and a nation of 50 million job rows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    sizes = ["--sizes", "1000000", "10000000", "--peers", "polars", "ips", "--name", "spells_large"]
    subprocess.run([sys.executable, str(HERE / "run.py"), *sizes], check=True)
    with tempfile.TemporaryDirectory() as folder:
        nation = ["simulate", "--national", "50000000", "--out", f"{folder}/nation", "--seed", "3"]
        subprocess.run([sys.executable, "-m", "ips_outcomes.cli", *nation], check=True)
        subprocess.run([sys.executable, str(HERE / "nation.py"), f"{folder}/nation/study.toml"], check=True)


if __name__ == "__main__":
    main()
