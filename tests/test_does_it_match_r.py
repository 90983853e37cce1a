"""Every estimator equals R on the hard data set, the page says so, and R still gives the answers that are kept."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pandas as pd
import pytest
from agreement import CASES, ELSEWHERE, GOLDEN, Case, asked, difference, read

from ips_outcomes.analysis.supported import capabilities

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.estimator}: {c.case}")
def test_the_same_numbers_as_r(case: Case) -> None:
    found = difference(case)
    estimate, error = case.tolerance
    assert found.estimate <= estimate
    assert math.isnan(found.error) or found.error <= error


def test_every_estimator_is_compared_with_something() -> None:
    compared = {case.estimator for case in CASES}
    assert compared | set(ELSEWHERE) >= set(capabilities().index), "a new estimator needs a case in tests/agreement.py"
    assert not compared & set(ELSEWHERE)
    for place in ELSEWHERE.values():
        assert (ROOT / place.rsplit(": ", 1)[1]).exists(), place


def test_every_answer_of_r_is_compared() -> None:
    answers = read("answers_agreement.csv")
    there = set(zip(answers["estimator"], answers["case"], strict=True))
    assert there == {(case.estimator, case.case) for case in CASES}


@pytest.mark.parametrize("case", [c for c in CASES if c.case in ("weights, entry", "cluster, entry, strata", "copies, entry")],
                         ids=lambda c: f"{c.estimator}: {c.case}")  # fmt: skip
def test_rows_in_another_order_give_the_same_answer(case: Case) -> None:
    pd.testing.assert_frame_equal(asked(case).table, asked(case, seed=8).table, rtol=1e-9, atol=1e-13)


def test_the_page_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("r_page", ROOT / "scripts" / "r_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run: python scripts/r_page.py"


#: Script, and the folder of its answers. make_golden.R, rates.R and panel.R are run again beside
#: their own comparisons.
SCRIPTS = [
    ("agreement.R", "."), ("traps.R", "."), ("survival.R", "."), ("curves.R", "."), ("cox.R", "cox"), ("centres.R", "."), ("few_clusters.R", "."),
    ("heterogeneity.R", "."), ("pay_sums.R", "."), ("smooth.R", "."), ("subgroups.R", "."), ("states.R", "."), ("staying.R", "."),
    ("month_models.R", "."), ("strategies.R", "."),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("script", "folder"), SCRIPTS, ids=[script for script, _ in SCRIPTS])
def test_r_gives_the_same_answers_again(script: str, folder: str, tmp_path: Path) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("R is not installed (no Rscript): R's answers were compared, not made again")
    text = (GOLDEN / script).read_text(encoding="utf-8")
    needed = sorted(set(re.findall(r"library\((\w+)\)", text)))
    assert needed
    wanted = " && ".join(f"requireNamespace('{p}', quietly = TRUE)" for p in needed)
    if subprocess.run([rscript, "-e", f"quit(status = !({wanted}))"], capture_output=True, check=False).returncode:
        pytest.skip(f"R is here, but not all of its packages {', '.join(needed)}: answers were not made again")
    # some scripts make their data, others are given it
    given = re.findall(r'read\.csv\(file\.path\(folder, "(\w+\.csv)"\)', text)
    for name in given:
        shutil.copy(GOLDEN / folder / name, tmp_path)
    ran = subprocess.run([rscript, str(GOLDEN / script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    made = sorted(path.name for path in tmp_path.glob("*.csv") if "versions" not in path.name and path.name not in given)
    assert made
    if folder != ".":
        assert made == sorted(path.name for path in (GOLDEN / folder).glob("*.csv") if "versions" not in path.name)
    for name in made:
        again, kept = (pd.read_csv(where / name, float_precision="round_trip") for where in (tmp_path, GOLDEN / folder))
        pd.testing.assert_frame_equal(again, kept, check_exact=False, rtol=1e-9, atol=1e-14, obj=name)
