"""The door: the ips-outcomes command. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ips_outcomes._version import __version__

__all__ = ["main"]

_EPILOG = """\b
Exit codes:
  0  done
  1  the study file or the extracts are wrong; the message says what and where
  2  the command was used wrongly

\b
Examples:
  ips-outcomes demo
  ips-outcomes layouts f_aap
  ips-outcomes check my_study/study.toml
  ips-outcomes run my_study/study.toml --out reports/my_study
  ips-outcomes export my_study/study.toml --out data/my_study
  ips-outcomes compare march/study.toml june/study.toml --out changed
  ips-outcomes simulate --out invented --seed 7 --participants 1000
  ips-outcomes pseudonymise raw/*.csv --out clean --key-file ../key.txt
"""


class _Progress:
    """One line a step on standard error; on a terminal, sub-steps pass by in place."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started: float | None = None

    def __call__(self, text: str) -> None:
        if text.startswith("  "):
            if self._live:
                click.echo(f"\r\033[K  {text.strip()} ...", nl=False, err=True)
            return
        self.done()
        self._started = time.monotonic()
        click.echo(f"{text} ...", err=True, nl=not self._live)

    def done(self) -> None:
        """Close the line of the step that ends."""
        if self._started is not None and self._live:
            click.echo(f" {time.monotonic() - self._started:.1f} s", err=True)
        self._started = None


@contextmanager
def _telling_errors(progress: _Progress | None = None) -> Iterator[None]:
    """Turn the package's own errors into a message and exit code 1; nothing else is caught."""
    from ips_outcomes.errors import IpsOutcomesError

    try:
        yield
    except IpsOutcomesError as error:
        if progress is not None:
            progress.done()
        click.secho(str(error), err=True, fg="red" if sys.stderr.isatty() else None)
        raise SystemExit(1) from None
    except OSError as error:
        if error.filename is None:
            raise
        if progress is not None:
            progress.done()
        from ips_outcomes.loaders.identity_rules import masked

        # a folder that may not be written, a full disk, a name that is too long
        click.secho(f"{masked(str(error.filename))}: {str(error.strerror).lower()}", err=True)
        raise SystemExit(1) from None
    finally:
        if progress is not None:
            progress.done()


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ips-outcomes")
def main() -> None:
    """From raw trial and register extracts to a 43-month follow-up report.

    A study is a folder with a study.toml, which says where the extracts are,
    what "employed" means, which arms are compared and for whom. RUN makes its
    report; CHECK reads everything and analyses nothing. Without extracts of
    your own, start with DEMO: its people are invented.
    """


_STUDY = click.argument("study", metavar="STUDY.toml", type=click.Path(path_type=Path))


@main.command()
@_STUDY
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder for the report. An earlier report there is replaced when the new one is ready.")  # fmt: skip
def run(study: Path, out: Path) -> None:
    """Run a study and write its report.

    FOLDER/internal holds everything and stays on the server. FOLDER/release
    holds only what passed the disclosure gate that the study file names. Each
    has a page, report.html, that opens from disk without a network. The last
    line printed is the path of the release page.
    """
    _report(study, out)


def _report(study: Path, out: Path) -> None:
    progress = _Progress()
    with _telling_errors(progress):
        progress("Starting")
        from ips_outcomes.reporting import write_report

        page = write_report(study, out, progress)
    click.echo(f"Internal page: {page.parent.parent / 'internal' / page.name}")
    click.echo(str(page))


@main.command()
@click.option("--out", default="ips-outcomes-demo", show_default=True, metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder to write: study/ (invented extracts) and report/.")  # fmt: skip
def demo(out: Path) -> None:
    """Make a synthetic study and its report, for a first look.

    The people are invented. The study that is written is the one the project's
    own demo uses, so its study.toml is a good one to start from.
    """
    with _telling_errors():
        from ips_outcomes.simulation import simulate_study

        study = simulate_study(out / "study")
    _report(study, out / "report")


@main.command()
@_STUDY
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder for quality.html and the same tables as CSV; it stays on the server.")  # fmt: skip
def check(study: Path, out: Path | None) -> None:
    """Say whether a study's files are sound, without analysing them.

    Reads the study file and every extract, matches people, and prints each
    counted rule that met something. Exit code 0 means that RUN will go through.
    """
    progress = _Progress()
    with _telling_errors(progress):
        progress("Reading the study file")
        from ips_outcomes.reporting.checking import check_study, console_lines, write_check
        from ips_outcomes.study import load_study

        checked = check_study(load_study(study), progress)
        page = write_check(checked, out) if out is not None else None
        if checked.error is not None:
            if page is not None:
                progress.done()
                click.echo(f"What must be mended is listed in {page}", err=True)
            raise checked.error
    click.echo("\n".join(console_lines(checked, _columns())))
    if page is not None:
        click.echo(str(page))


@main.command()
@click.argument("name", required=False)
def layouts(name: str | None) -> None:
    """List the layouts of registers and trial files, or describe one.

    A study file names a layout for each source. NAME may also be a layout file
    of your own, such as mine.toml.
    """
    from ips_outcomes.study.describing import describe_layout, list_layouts

    if name is None:
        rows = list_layouts()
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        for row in rows:
            click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]))
        return
    with _telling_errors():
        click.echo(describe_layout(name, Path()))


@main.command()
@_STUDY
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder to write; it holds rows of persons and stays on the server.")  # fmt: skip
@click.option("--format", "formats", default="parquet,stata,csv", show_default=True, metavar="NAMES",
              help="Which of parquet, stata and csv, with commas between them.")  # fmt: skip
def export(study: Path, out: Path, formats: str) -> None:
    """Write the analysis data for Stata, R and others, with a codebook.

    Person-months, first jobs and baseline, a file each and format, for those
    who go on with another program on the same server. The last line printed is
    the path of the folder's README.
    """
    chosen = [name.strip().lower() for name in formats.split(",")]
    wrong = [name for name in chosen if name not in ("parquet", "stata", "csv")]
    if wrong:
        raise click.BadParameter(f"{wrong[0] or 'nothing'} is none of parquet, stata and csv", param_hint="--format")
    progress = _Progress()
    with _telling_errors(progress):
        from ips_outcomes.reporting.export import export_study

        readme = export_study(study, out, chosen, progress)
    click.echo(str(readme))


@main.command()
@_STUDY
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder to write; small counts are not hidden in it, and it stays on the server.")  # fmt: skip
@click.option("--definition", "definitions", multiple=True, metavar="NAME",
              help="A definition of employed; may be repeated. [default: all of the study]")  # fmt: skip
def count(study: Path, out: Path, definitions: tuple[str, ...]) -> None:
    """Count people in work by month and arm, without a row a person-month.

    For registers of any size: job files are turned into words of months inside
    DuckDB or Spark, as [engine] in the study file says. Definitions that look
    at hours, pay, benefits or courses are refused; RUN answers those.
    """
    progress = _Progress()
    with _telling_errors(progress):
        from ips_outcomes.reporting.counting import write_counts

        path = write_counts(study, out, definitions or None, progress)
    click.echo(str(path))


@main.command()
@click.argument("before", metavar="EARLIER", type=click.Path(path_type=Path))
@click.argument("after", metavar="LATER", type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path), help="Folder for compare.html and its tables as CSV.")
@click.option("--strict", is_flag=True, help="Exit code 1 where anything differs.")
def compare(before: Path, after: Path, out: Path | None, strict: bool) -> None:
    """Say what a new extract changed, by person-months and by result.

    EARLIER and LATER are the study files of two deliveries, or folders that
    hold a study.toml. Settings that differ are told first. Counts only: no key
    of a person is printed or written.
    """
    progress = _Progress()
    with _telling_errors(progress):
        progress("Reading the study files")
        from ips_outcomes.reporting.changes import compare_deliveries, write_changes
        from ips_outcomes.reporting.changes_page import summary_lines
        from ips_outcomes.study import load_study

        changes = compare_deliveries(load_study(before), load_study(after), progress)
        page = write_changes(changes, out) if out is not None else None
    click.echo("\n".join(summary_lines(changes, _columns())))
    if page is not None:
        click.echo(str(page))
    if strict and changes.anything:
        raise SystemExit(1)


def _columns() -> int:
    """Columns of the terminal, within what can be read."""
    return min(max(shutil.get_terminal_size((100, 24)).columns, 80), 120)


@main.command()
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--seed", required=True, metavar="N", type=click.IntRange(min=0), help="The same seed gives the same bytes.")
@click.option("--participants", metavar="N", type=click.IntRange(20, 100_000), help="People randomised. [default: 410]")
@click.option("--one-arm", is_flag=True, help="A service without a control group.")
@click.option("--national", "rows", metavar="ROWS", type=click.IntRange(10_000, 500_000_000),
              help="Instead of a trial, a nation: 43 monthly Parquet files with at least so many job rows.")  # fmt: skip
def simulate(out: Path, seed: int, participants: int | None, one_arm: bool, rows: int | None) -> None:
    """Write a fresh synthetic study: invented people in the registers' own layouts.

    The truth behind the numbers stands in ips_outcomes/simulation/truth.toml,
    each line marked as published, as direction only, or as invented.
    """
    if rows is not None:
        if participants is not None or one_arm:
            raise click.UsageError("--national stands alone: it takes no --participants and no --one-arm")
        with _telling_errors():
            from ips_outcomes.simulation.national import simulate_national

            nation = simulate_national(out, rows=rows, seed=seed, progress=lambda line: click.echo(line, err=True))
        click.echo(str(nation))
        return
    with _telling_errors():
        from ips_outcomes.simulation import simulate_study

        path = simulate_study(out, seed=seed, participants=participants, one_arm=one_arm)
    click.echo(str(path))


@main.command()
@click.argument("files", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path),
              help="Folder to write, whole or not at all. Not the folder of the files themselves.")  # fmt: skip
@click.option("--columns", multiple=True, metavar="COL",
              help="A column to replace in; may be repeated. [default: every column that holds identity numbers]")  # fmt: skip
@click.option("--key-file", metavar="FILE", type=click.Path(path_type=Path), help="File that holds the key, at least 32 bytes.")
@click.option("--key-env", metavar="NAME", help="Environment variable that holds the key instead.")
@click.option("--others", type=click.Choice(["refuse", "keep", "blank"]), default="refuse", show_default=True,
              help="Cells of these columns that hold no identity number, such as a free text without one.")  # fmt: skip
@click.option("--delimiter", metavar="CHAR", help="What stands between the columns of text files, where it is not clear.")
def pseudonymise(
    files: tuple[Path, ...], out: Path, columns: tuple[str, ...], key_file: Path | None, key_env: str | None,
    others: str, delimiter: str | None,
) -> None:  # fmt: skip
    """Replace national identity numbers by keyed pseudonyms.

    The same number gives the same pseudonym in every file, however it is
    written, as long as the key is the same. The key is never written or shown.
    CSV, Stata, SPSS and Parquet files keep their format and all else in them;
    an Excel workbook becomes CSV. Numbers in file names are replaced too. What
    was written is searched again, and nothing appears if a number is left.
    """
    if (key_file is None) == (key_env is None):
        raise click.UsageError("say where the key is with either --key-file or --key-env")
    if delimiter is not None and len(delimiter.replace("\\t", "\t")) != 1:
        raise click.UsageError("--delimiter is one character, or \\t")
    with _telling_errors():
        from ips_outcomes.loaders.pseudonymise import pseudonymise as replace_numbers
        from ips_outcomes.loaders.pseudonymise import read_key

        key = read_key(key_file, key_env)
        told = replace_numbers(files, out, key, columns, others=others, delimiter=delimiter and delimiter.replace("\\t", "\t"))  # type: ignore[arg-type]
    for done in told:
        rest = f", {done.others:,} without a number {'kept' if others == 'keep' else 'emptied'}" if done.others else ""
        click.echo(f"{done.file}, {done.column}: {done.cells:,} cells replaced{rest}")
    click.echo(str(out))


if __name__ == "__main__":
    main()
