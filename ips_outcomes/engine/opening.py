"""Opening an engine: DuckDB inside the process, or Apache Spark; the same few doors to both.

Nothing of an engine is imported before one is opened, so that the package and
its command start quickly.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ips_outcomes.errors import DataError, IpsOutcomesError, Problem, UnsupportedError

__all__ = ["Engine", "open_engine"]

#: An Ibis table expression; Ibis ships without types, so the name alone says what is meant.
Table = Any

_MEMORY = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(MB|MiB|GB|GiB)\s*$")
_UNITS = {"MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


def _bytes(memory: str) -> int:
    match = _MEMORY.match(memory)
    if match is None or float(match[1]) <= 0:
        raise UnsupportedError('a memory limit is written as a number and MB, MiB, GB or GiB, such as "4 GiB"')
    return int(float(match[1]) * _UNITS[match[2]])


@contextmanager
def _guarded(engine: str) -> Iterator[None]:
    """Turn an engine's own errors into the package's: theirs quote values, paths and SQL."""
    try:
        with warnings.catch_warnings():
            # Ibis 12 fetches from DuckDB 2.0 by a name that DuckDB has begun to give up
            warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
            # PySpark leaves its sockets to the garbage collector, and warns with the very value that failed
            warnings.filterwarnings("ignore", category=ResourceWarning)
            warnings.filterwarnings("ignore", "toPandas attempted", UserWarning)
            yield
    except IpsOutcomesError:
        raise
    except Exception as error:
        home = type(error).__module__.split(".")[0]
        if home not in ("duckdb", "_duckdb", "pyspark", "py4j", "ibis", "pyarrow"):
            raise
        kind = type(error).__name__
        text = str(error)
        if kind == "OutOfMemoryException" or "OutOfMemoryError" in text:
            raise UnsupportedError(
                f"{engine} needs more memory than its limit, even with the spill folder: raise memory_limit, or take fewer threads"
            ) from None
        if kind == "IOException" and "No space" in text:
            raise UnsupportedError(f"the spill folder of {engine} is full: name a larger one") from None
        # the class of the error says enough; its text could hold a person's value
        raise DataError([Problem(f"engine {engine}", f"the engine stopped with {kind}",
                                 "check that the files are whole and alike in columns and types")]) from None  # fmt: skip


def _arrow(frame: pd.DataFrame) -> Any:
    """Through Arrow, which knows missing whole numbers; a column of nothing but missing values is text."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [pa.field(f.name, pa.string()) if pa.types.is_null(f.type) else pa.field(f.name, f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


class Engine:
    """An open engine. Made by `open_engine`; tables are Ibis expressions and nothing runs before `collect`.

    Attributes
    ----------
    name : str
        ``duckdb`` or ``spark``.
    """

    name: str

    def __init__(self, connection: Any, spill: Path | None):
        self._connection, self._spill = connection, spill
        self._made = 0

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fresh(self) -> str:
        self._made += 1
        return f"ips_{id(self)}_{self._made}"

    def read_parquet(self, paths: Sequence[Path], columns: Mapping[str, str] | None = None) -> Table:
        """Parquet files that are alike in columns, as one table.

        Parameters
        ----------
        paths : sequence of pathlib.Path
            The files.
        columns : mapping, optional
            Name in the table -> name in the files; only these are read. All columns by default.

        Raises
        ------
        DataError
            If a file is damaged or no Parquet file, or lacks a column.
        UnsupportedError
            If a path holds a mark that engines take for a pattern.
        """
        paths = [Path(path).resolve() for path in paths]
        self._check(paths, columns)
        with _guarded(self.name):
            table = self._read(paths)
            return table if columns is None else table.select(**{new: table[old] for new, old in columns.items()})

    def _check(self, paths: list[Path], columns: Mapping[str, str] | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not paths:
            raise UnsupportedError("there is no file to read")
        if any(mark in str(path) for path in paths for mark in "*?[]{}"):
            raise UnsupportedError("a folder or file name holds one of * ? [ ] { }, which engines read as patterns: rename it")
        problems = []
        for path in paths:
            try:
                names = set(pq.read_schema(path).names)
            except (pa.ArrowException, OSError):
                problems.append(Problem(path.name, "the file is damaged or not of this format", "ask for the delivery again"))
                continue
            for name in dict.fromkeys((columns or {}).values()):
                if name not in names:
                    problems.append(Problem(path.name, f"there is no column {name}", "mend the columns in the study file"))
        if problems:
            raise DataError(problems)

    def _read(self, paths: list[Path]) -> Table:
        raise NotImplementedError

    def from_frame(self, frame: pd.DataFrame) -> Table:
        """A pandas frame as a table of the engine."""
        raise NotImplementedError

    def keep(self, expression: Table) -> Table:
        """Run an expression once and keep its rows inside the engine, for several later questions."""
        raise NotImplementedError

    def close(self) -> None:
        """End the engine and remove what it spilled."""
        if self._spill is not None:
            shutil.rmtree(self._spill, ignore_errors=True)

    def collect(self, expression: Table, order_by: Sequence[str] = ()) -> pd.DataFrame:
        """Run an expression and bring its rows here.

        Parameters
        ----------
        order_by : sequence of str
            Columns to sort by. Without them the order of rows is the engine's own and may differ between runs.
        """
        with _guarded(self.name):
            ordered = expression.order_by(list(order_by)) if order_by else expression
            frame: pd.DataFrame = ordered.to_pandas()
        return frame.reset_index(drop=True)

    def arrays(self, expression: Table) -> dict[str, Any]:
        """Run an expression and bring its columns here, much quicker than `collect` where they are many rows.

        Whole numbers come as they are; text comes as a pandas Categorical, since text without codes costs an object a row.

        Raises
        ------
        UnsupportedError
            If a whole number is missing: NumPy has no place for it.
        """
        with _guarded(self.name):
            table = expression.to_pyarrow()
            return {name: _array(name, table[name]) for name in table.column_names}


def _array(name: str, column: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.dictionary_encode().to_pandas().array
    if column.null_count:
        raise UnsupportedError(f"column {name} has {column.null_count:,} missing values: fill them, or collect")
    return column.to_numpy()


class _Duck(Engine):
    name = "duckdb"

    def _read(self, paths: list[Path]) -> Table:
        return self._connection.read_parquet([str(path) for path in paths])

    def from_frame(self, frame: pd.DataFrame) -> Table:
        with _guarded(self.name):
            return self._connection.create_table(self._fresh(), _arrow(frame), temp=True)

    def keep(self, expression: Table) -> Table:
        with _guarded(self.name):
            return self._connection.create_table(self._fresh(), expression, temp=True)

    def close(self) -> None:
        self._connection.disconnect()
        super().close()


class _Spark(Engine):
    name = "spark"
    _own_session = True

    @property
    def session(self) -> Any:
        return self._connection._session

    def _view(self, frame: Any) -> Table:
        name = self._fresh()
        frame.createOrReplaceTempView(name)
        self._views = [*getattr(self, "_views", []), name]
        return self._connection.table(name)

    def _read(self, paths: list[Path]) -> Table:
        return self._view(self.session.read.parquet(*(f"file://{path}" for path in paths)))

    def from_frame(self, frame: pd.DataFrame) -> Table:
        with _guarded(self.name):
            return self._view(self.session.createDataFrame(_arrow(frame)))

    def _frame(self, expression: Table) -> Any:
        return self.session.sql(self._connection.compile(expression))

    def keep(self, expression: Table) -> Table:
        with _guarded(self.name):
            frame = self._frame(expression).persist()
            self._kept = [*getattr(self, "_kept", []), frame]
            return self._view(frame)

    def close(self) -> None:
        for frame in getattr(self, "_kept", []):
            frame.unpersist()
        for name in getattr(self, "_views", []):
            self.session.catalog.dropTempView(name)
        if self._own_session:
            with _guarded(self.name):
                _stop(self.session)
        super().close()


def _stop(session: Any) -> None:
    """End a session and its Java process: a memory limit holds only for a process started with it."""
    from pyspark import SparkContext

    session.stop()
    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        process = getattr(gateway, "proc", None)
        if process is not None:
            process.stdin.close()
            process.wait(timeout=30)
        SparkContext._gateway = SparkContext._jvm = None
    # PySpark's sockets close only when they are collected, and warn as they do
    gc.collect()


def open_engine(
    name: str = "duckdb", *, master: str | None = None, memory_limit: str | None = None, threads: int | None = None,
    spill_folder: str | Path | None = None,
) -> Engine:  # fmt: skip
    """Open an engine; use it in a ``with`` statement.

    Parameters
    ----------
    name : {"duckdb", "spark"}
        DuckDB runs inside the process. Spark needs Java 17 and the extra ``spark``.
    master : str, optional
        For Spark: ``local[2]`` (the default, with ``threads`` for 2) or the address of a cluster, ``spark://host:port``.
    memory_limit : str, optional
        Such as ``"4 GiB"``. DuckDB writes to the spill folder what does not fit; for Spark it is the memory of the driver
        and of each executor. The engine's own default without it.
    threads : int, optional
        Threads in this process (DuckDB, Spark local) or cores in all (Spark cluster).
    spill_folder : path, optional
        Where work larger than memory goes; a folder of the operating system's temporary ones by default. What is written
        there holds personal data, is readable by this user only and is removed when the engine closes.

    Returns
    -------
    Engine

    Raises
    ------
    UnsupportedError
        If there is no such engine, or what Spark needs is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> with open_engine("duckdb", memory_limit="512 MiB") as engine:
    ...     table = engine.from_frame(pd.DataFrame({"month": [3, 1]}))
    ...     engine.collect(table, ["month"])["month"].tolist()
    [1, 3]
    """
    if name not in ("duckdb", "spark"):
        raise UnsupportedError('an engine is "duckdb" or "spark"')
    if master is not None and name != "spark":
        raise UnsupportedError("a master address is for Spark; DuckDB runs inside the process")
    if threads is not None and threads < 1:
        raise UnsupportedError("an engine needs at least one thread")
    limit = None if memory_limit is None else _bytes(memory_limit)
    if spill_folder is not None:
        Path(spill_folder).mkdir(parents=True, exist_ok=True)
    if name == "spark":
        _refuse_without_spark()
    spill = Path(tempfile.mkdtemp(prefix="ips_outcomes_spill_", dir=spill_folder))
    try:
        return _open_duck(limit, threads, spill) if name == "duckdb" else _open_spark(master, limit, threads, spill)
    except BaseException:
        shutil.rmtree(spill, ignore_errors=True)
        raise


def _open_duck(limit: int | None, threads: int | None, spill: Path) -> Engine:
    import ibis

    # the first answer would otherwise wait for these
    import ibis.backends.duckdb.converter

    from ips_outcomes.engine import builtins  # noqa: F401

    settings: dict[str, Any] = {
        # a closed server has no network, and an open one shall not fetch code in the middle of a run
        "autoinstall_known_extensions": False, "autoload_known_extensions": False,
        "temp_directory": str(spill), "preserve_insertion_order": False,
    }  # fmt: skip
    if limit is not None:
        settings["memory_limit"] = f"{limit}B"
    if threads is not None:
        settings["threads"] = threads
    # Ibis folds one query into the next by writing its expressions out wherever they are used
    ibis.options.sql.fuse_selects = False
    # people are often numbered without gaps: then a table by number is quicker than one by hash. It is as large as the
    # numbers reach, for every thread, and does not spill: no more of them than a quarter of the memory holds at 64 bytes each
    room = (limit or 2**31) // 4 // (64 * (threads or os.cpu_count() or 1))
    settings["perfect_ht_threshold"] = min(24, max(12, room.bit_length() - 1))
    with _guarded("duckdb"):
        connection = ibis.duckdb.connect(**settings)
        connection.raw_sql("SET enable_progress_bar = false")
        return _Duck(connection, spill)


def _refuse_without_spark() -> None:
    try:
        import pyspark  # noqa: F401
    except ImportError:
        raise UnsupportedError(
            "Spark needs the extra spark: pip install 'ips-outcomes[spark]' (or take the engine duckdb)"
        ) from None
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    text = ""
    if java and Path(java).exists():
        text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', text)
    if match is None or int(match[1]) < 17:
        raise UnsupportedError("Spark needs Java 17: install it, or set JAVA_HOME (or take the engine duckdb)")


def _open_spark(master: str | None, limit: int | None, threads: int | None, spill: Path) -> Engine:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    import ibis
    from pyspark.sql import SparkSession

    # this logger prints the value that could not be read, with its whole stack
    logging.getLogger("SQLQueryContextLogger").disabled = True
    logging.getLogger("DataFrameQueryContextLogger").disabled = True
    master = master or f"local[{threads or 2}]"
    running = SparkSession.getActiveSession()
    if running is not None and running.sparkContext.master != master:
        raise UnsupportedError(f"a Spark session with master {running.sparkContext.master} is open; close it first")
    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true", "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.catalogImplementation": "in-memory", "spark.local.dir": str(spill),
        "spark.sql.warehouse.dir": str(spill / "warehouse"), "spark.log.level": "OFF",
    }  # fmt: skip
    if master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
                     "spark.sql.shuffle.partitions": str(2 * (threads or 2))}  # fmt: skip
    elif threads is not None:
        settings["spark.cores.max"] = str(threads)
    if limit is not None:
        settings |= {"spark.driver.memory": f"{limit >> 20}m", "spark.executor.memory": f"{limit >> 20}m"}
    builder = SparkSession.builder.master(master).appName("ips_outcomes")
    for key, value in settings.items():
        builder = builder.config(key, value)
    ibis.options.sql.fuse_selects = False
    with _guarded("spark"):
        engine = _Spark(ibis.pyspark.connect(builder.getOrCreate()), spill)
    engine._own_session = running is None
    return engine
