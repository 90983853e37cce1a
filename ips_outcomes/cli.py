"""The door: the ips-outcomes command. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
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
  ips-outcomes check my_study/study.toml
  ips-outcomes run my_study/study.toml --out reports/my_study
  ips-outcomes simulate --out invented --seed 7 --participants 1000
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
        # a folder that may not be written, a full disk, a name that is too long
        click.secho(f"{error.filename}: {str(error.strerror).lower()}", err=True)
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
def check(study: Path) -> None:
    """Say whether a study's files are sound, without analysing them.

    Reads the study file and every extract, matches people, and prints each
    counted rule that met something. Exit code 0 means that RUN will go through.
    """
    progress = _Progress()
    with _telling_errors(progress):
        progress("Reading the study file")
        from ips_outcomes.loaders import load_cohort
        from ips_outcomes.study import load_study

        asked = load_study(study)
        progress("Reading the extracts")
        cohort = load_cohort(asked, progress=lambda name: progress(f"  {name}"))
    _print_quality(cohort.quality.to_dict("records"), click.echo)
    for row in cohort.reconciliation.to_dict("records"):
        click.echo(f"{row['source']}: {row['rows_in']:,} rows in, {row['rows_used']:,} used, {row['rows_set_aside']:,} set aside")
    arms = cohort.participants["arm"]
    people = ", ".join(f"{label} {(arms == arm).sum()}" for arm, label in asked.arm_labels.items())
    severe = int(((cohort.quality["severity"] == "severe") & (cohort.quality["count"] > 0)).sum())
    need = "finding above needs" if severe == 1 else "findings above need"
    verdict = f"can be run, but {severe} severe {need} a look" if severe else "is sound"
    click.echo(f"\nThe study {verdict}: {len(cohort.participants):,} participants ({people}).")


def _print_quality(rules: list[dict[str, object]], echo: Callable[[str], None]) -> None:
    met = [r for r in rules if r["count"]]
    echo(f"{len(rules)} rules were checked; {len(met)} met something:")
    for rule in sorted(met, key=lambda r: ("severe", "warning", "note").index(str(r["severity"]))):
        rows = f" (rows {rule['example_rows']})" if rule["example_rows"] else ""
        echo(
            f"  [{rule['severity']}] {rule['source']}: {rule['rule']}: {rule['count']} of {rule['total']} {rule['unit']}{rows}; {rule['action']}"
        )
    echo("")


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


if __name__ == "__main__":
    main()
