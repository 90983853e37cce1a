"""A whole synthetic study: extracts, study file and a word of warning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import whole_folder
from ips_outcomes.simulation import deliveries
from ips_outcomes.simulation.benefits import draw_benefits, months_in_work
from ips_outcomes.simulation.education import draw_education, write_education, write_income
from ips_outcomes.simulation.formats import check_formats, rewrite
from ips_outcomes.simulation.jobs import draw_jobs, draw_schemes
from ips_outcomes.simulation.people import People, draw_people, load_truth
from ips_outcomes.simulation.process import draw_services, write_centre_measures, write_redcap
from ips_outcomes.simulation.trygd import write_benefits

__all__ = ["DEMO_SEED", "Invented", "draw_study", "generator", "simulate_study"]

#: The seed of the study in data/synthetic: of the first 3,000, one whose rates at months 12, 18, 31 and 43 lie within 2 points of the truth.
DEMO_SEED = 146

# the order is part of what a seed means: new parts are added at the end
_PARTS = ("", "keys", "benefits", "benefit files", "education", "education files", "income files", "services", "redcap file",
          "centre measures")  # fmt: skip


def simulate_study(out: str | Path, *, seed: int = DEMO_SEED, participants: int | None = None, one_arm: bool = False,
                   formats: Mapping[str, str] | None = None) -> Path:  # fmt: skip
    """Write a synthetic study: invented people, in the layouts of real extracts.

    The sampled probabilities of ordinary work follow the published trial where
    it prints them (36.6 against 27.1 % at 12 months, 37.4 against 27.1 % at
    18); all else is invented, as ``truth.toml`` in this folder says line by
    line.

    Parameters
    ----------
    out : path
        Folder to write. It must not exist, or be empty, or hold an earlier
        synthetic study just as it was written, which is replaced.
    seed : int
        The same seed gives the same bytes.
    participants : int, optional
        Number of people randomised, 20 to 100,000; the trial's 410 by default.
    one_arm : bool
        A service without a control group: everybody gets IPS.
    formats : dict of str to str, optional
        Deliveries to write as ``"parquet"``, ``"dta"`` or ``"xlsx"`` instead
        of CSV, such as ``{"f_aap": "parquet"}``. The study file names them so.

    Returns
    -------
    pathlib.Path
        The path of ``study.toml``.

    Raises
    ------
    UnsupportedError
        If the number of participants is out of range, there is no such
        delivery or kind of file, or the folder holds something else.

    References
    ----------
    Reme SE et al. Scand J Work Environ Health 2019;45(1):33-41.
    doi:10.5271/sjweh.3753 (the published shares in work).

    Examples
    --------
    >>> import tempfile
    >>> from ips_outcomes import simulate_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     simulate_study(f"{folder}/study", seed=1, participants=40).name
    'study.toml'
    """
    out = Path(out)
    truth = load_truth()
    number = truth["trial"]["participants"] if participants is None else participants
    if not 20 <= number <= 100_000:
        raise UnsupportedError("participants must lie between 20 and 100,000")
    if seed < 0:
        raise UnsupportedError("a seed is zero or a positive whole number")
    check_formats(formats or {})
    with whole_folder(out, "synthetic study") as work:
        _write(work, truth, seed, number, one_arm=one_arm, formats=formats or {})
    return out / "study.toml"


@dataclass(frozen=True)
class Invented:
    """Everything that is true of the invented people, before any register writes it down."""

    people: People
    jobs: pd.DataFrame
    schemes: pd.DataFrame
    benefits: pd.DataFrame
    services: pd.DataFrame
    works: np.ndarray


def draw_study(truth: dict[str, Any], rng: np.random.Generator, seed: int, number: int, *, one_arm: bool) -> Invented:
    """People, their jobs, schemes and benefits, and what a service did for them."""
    people = draw_people(truth, rng, number, one_arm=one_arm)
    jobs = draw_jobs(truth, people, rng)
    schemes, jobs = draw_schemes(truth, people, jobs, rng)
    works = months_in_work(people, jobs)
    benefits = draw_benefits(truth, people, works, generator(seed, "benefits"))
    services = draw_services(truth, people, schemes, works, generator(seed, "services"))
    return Invented(people, jobs, schemes, benefits, services, works)


def generator(seed: int, part: str) -> np.random.Generator:
    """A generator of a part's own: a part that joins the study leaves the numbers of the others alone."""
    return np.random.default_rng([seed, _PARTS.index(part)])


def _write(folder: Path, truth: dict[str, Any], seed: int, number: int, *, one_arm: bool, formats: Mapping[str, str]) -> None:
    rng = np.random.default_rng(seed)
    drawn = draw_study(truth, rng, seed, number, one_arm=one_arm)
    people, jobs = drawn.people, drawn.jobs
    extracts = folder / "extracts"
    extracts.mkdir()
    took_part = deliveries.write_trial(extracts, truth, people, rng, one_arm=one_arm)
    keys = deliveries.write_linkage(extracts, truth, took_part["deltaker"].to_numpy(), rng, generator(seed, "keys"))
    deliveries.write_population(extracts, people, keys, rng)
    deliveries.write_aareg(extracts, truth, people, jobs, keys, rng)
    paid = deliveries.write_ameld(extracts, truth, people, jobs, keys, rng)
    deliveries.write_schemes(extracts, drawn.schemes, keys, "2019-02-15")
    write_benefits(extracts, truth, drawn.benefits, keys, generator(seed, "benefit files"))
    learned = draw_education(truth, people, took_part["level"].to_numpy(), drawn.works, generator(seed, "education"))
    write_education(extracts, truth, people, learned, keys, generator(seed, "education files"))
    write_income(extracts, truth, people, jobs, paid, keys, generator(seed, "income files"))
    write_redcap(extracts, truth, people, took_part, drawn.services, generator(seed, "redcap file"), one_arm=one_arm)
    write_centre_measures(extracts, truth, generator(seed, "centre measures"))
    rewrite(extracts, formats)
    here = resources.files("ips_outcomes.simulation")
    template = (here / "study_template.toml").read_text(encoding="utf-8")
    kept, skip = [], False
    for line in template.splitlines():
        # lines between these marks belong to studies with two arms, or with one
        if line.startswith("#{"):
            skip = (line == "#{ two arms") == one_arm
        elif line.startswith("#}"):
            skip = False
        elif not skip:
            kept.append(line)
    text = "\n".join(kept).replace("{seed}", str(seed)).replace("{participants}", str(number)) + "\n"
    for name, kind in formats.items():
        text = text.replace(f'"extracts/{name}.csv"', f'"extracts/{name}.{kind}"')
    (folder / "study.toml").write_text(text, encoding="utf-8", newline="\n")
    readme = (here / "readme_template.md").read_text(encoding="utf-8")
    command = f"ips-outcomes simulate --out FOLDER --seed {seed} --participants {number}{' --one-arm' if one_arm else ''}"
    if formats:
        # the command line knows no other kinds of file
        command = f"simulate_study(FOLDER, seed={seed}, participants={number}, one_arm={one_arm}, formats={dict(formats)})"
    for name, kind in formats.items():
        readme = re.sub(rf"\b{name}\.csv", f"{name}.{kind}", readme)
    readme = readme.replace("{command}", command)
    (folder / "README.md").write_text(readme, encoding="utf-8", newline="\n")
