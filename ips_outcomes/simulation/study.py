"""A whole synthetic study: extracts, study file and a word of warning."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import whole_folder
from ips_outcomes.simulation import deliveries
from ips_outcomes.simulation.jobs import draw_jobs, draw_schemes
from ips_outcomes.simulation.people import draw_people, load_truth

__all__ = ["DEMO_SEED", "simulate_study"]

#: The seed of the study in data/synthetic: of the first 3,000, one whose rates at months 12, 18, 31 and 43 lie within 2 points of the truth.
DEMO_SEED = 146


def simulate_study(out: str | Path, *, seed: int = DEMO_SEED, participants: int | None = None, one_arm: bool = False) -> Path:
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

    Returns
    -------
    pathlib.Path
        The path of ``study.toml``.

    Raises
    ------
    UnsupportedError
        If the number of participants is out of range, or the folder holds
        something else.

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
    with whole_folder(out, "synthetic study") as work:
        _write(work, truth, seed, number, one_arm=one_arm)
    return out / "study.toml"


def _write(folder: Path, truth: dict, seed: int, number: int, *, one_arm: bool) -> None:
    rng = np.random.default_rng(seed)
    people = draw_people(truth, rng, number, one_arm=one_arm)
    jobs = draw_jobs(truth, people, rng)
    schemes, jobs = draw_schemes(truth, people, jobs, rng)
    extracts = folder / "extracts"
    extracts.mkdir()
    participant = deliveries.write_trial(extracts, truth, people, rng, one_arm=one_arm)
    keys = deliveries.write_linkage(extracts, truth, participant, rng)
    deliveries.write_population(extracts, people, keys, rng)
    deliveries.write_aareg(extracts, truth, people, jobs, keys, rng)
    deliveries.write_ameld(extracts, truth, people, jobs, keys, rng)
    deliveries.write_schemes(extracts, schemes, keys, "2019-02-15")
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
    (folder / "study.toml").write_text(text, encoding="utf-8", newline="\n")
    readme = (here / "readme_template.md").read_text(encoding="utf-8")
    arms = " --one-arm" if one_arm else ""
    readme = readme.replace("{command}", f"ips-outcomes simulate --out FOLDER --seed {seed} --participants {number}{arms}")
    (folder / "README.md").write_text(readme, encoding="utf-8", newline="\n")
