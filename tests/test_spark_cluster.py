"""The counts against a real standalone Spark master and worker on loopback, started here and always torn down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.followup.national import count_months
from ips_outcomes.simulation.national import simulate_national

_COUNT = """
import sys
from ips_outcomes.followup.national import count_months
counts = count_months(sys.argv[1])
counts.months.to_csv(sys.argv[2], index=False)
counts.rows.to_csv(sys.argv[3], index=False)
"""


def _started(command: list[str], log: Path, said: str, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """A process that has written what shows it is ready."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    for _ in range(600):
        match = re.search(said, log.read_text(encoding="utf-8", errors="replace"))
        if match:
            return process, match[0]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    process.wait(timeout=30)
    raise RuntimeError(f"{command[1]} did not start")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a Spark master with one worker."""
    pyspark = pytest.importorskip("pyspark")
    from ips_outcomes.engine import opening

    try:
        opening._refuse_without_spark()
    except UnsupportedError as error:
        pytest.skip(str(error))
    spark_class = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1", "PYSPARK_PYTHON": sys.executable,
                   "SPARK_HOME": str(Path(pyspark.__file__).parent)}  # fmt: skip
    deploy = "org.apache.spark.deploy"
    running: list[subprocess.Popen[bytes]] = []
    try:
        master, address = _started(
            [spark_class, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"],
            tmp_path / "master.log", r"spark://127\.0\.0\.1:\d+", environment)  # fmt: skip
        running.append(master)
        worker, _ = _started(
            [spark_class, f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0",
             "--work-dir", str(tmp_path / "work"), address],
            tmp_path / "worker.log", "Successfully registered with master", environment)  # fmt: skip
        running.append(worker)
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_a_standalone_cluster_counts_as_duckdb_does(cluster: str, tmp_path: Path) -> None:
    study = simulate_national(tmp_path / "nation", rows=10_000, seed=2)
    files = [str(tmp_path / name) for name in ("months.csv", "rows.csv")]
    # in a process of its own: this one may hold another Spark session
    there = study.with_name("on_spark.toml")
    engine = f'\n[engine]\nname = "spark"\nmaster = "{cluster}"\nthreads = 1\nmemory_limit = "512MB"\n'
    there.write_text(study.read_text(encoding="utf-8") + engine, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", _COUNT, str(there), *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    counts = count_months(study)
    for table, file in ((counts.months, files[0]), (counts.rows, files[1])):
        assert table.to_csv(index=False) == Path(file).read_text(encoding="utf-8")
    assert "Registered app ips_outcomes" in (tmp_path / "master.log").read_text(encoding="utf-8")
