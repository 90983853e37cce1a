"""Write docs/does-it-match-r.md: what each estimator was compared with, and how far apart the answers are.

    python scripts/r_page.py

The numbers are computed here, from the same table that the tests assert (tests/agreement.py), rounded up to a power of ten, so
that the page is the same on another machine. A test fails when the page is stale.
"""

from __future__ import annotations

import sys
import warnings
from math import ceil, isfinite, log10
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

PAGE = ROOT / "docs" / "does-it-match-r.md"
#: What lies below is arithmetic in another order: machines differ in it, and the page should not.
FLOOR = 1e-11

#: Where the answer is another than R's by choice: what, and why.
DEVIATIONS = [
    ("Weights are whole-number frequencies unless `weight_type=\"probability\"`.",
     "R's `weights=` of `survfit` and `coxph` are case weights: estimates agree, errors of `survfit` agree with rows repeated."),
    ("Fine-Gray's default follows `survival::finegray` with Efron's ties; errors count that censoring weights are estimated.",
     "`finegray` and `cmprsk::crr` differ in the third digit under heavy ties: in `crr` people with an event in "
     "month t still count among those who could be censored in t, in `finegray` censorings come after the month's events (`crr` on "
     "data with censorings half a month later is ours with the same ties)."
     " `censoring=\"with_events\", ties=\"breslow\"` is `crr`, errors included; `finegray`'s robust errors take the "
     "weights as known."),
    ("Under 30 clusters errors are CR2 with Satterthwaite's degrees of freedom, or a wild bootstrap, with a warning.",
     "R's plain sandwich is too small there; `clubSandwich` is what the corrected errors were compared with."),
    ("Errors of `state_occupation` count that the shares in the first month are estimated, too.",
     "`survfit` of multi-state data does so with `influence=TRUE` only; without it, errors of the first months are too small."),
    ("A horizon past the shortest arm's follow-up is refused.", "R carries the curve on (`summary(fit, rmean=)`)."),
    ("Times are whole months or days; fractions are refused.", "R repairs broken ties with `timefix`."),
    ("An entry at the end of somebody's time is refused.", "R warns and leaves the row out."),
    ("Interval of a risk difference: Newcombe; its p-value is Pearson's without correction.",
     "`prop.test` draws a Wald interval, with a continuity correction unless told."),
    ("Rows whose group is missing are a group \"Unknown\"; other rows left out are counted in `notes`.", "R drops them (`na.action`)."),
]  # fmt: skip


def told(value: float) -> str:
    """At most so much: the power of ten above, and no finer than machines agree with each other."""
    if not isfinite(value):
        return "not compared"
    return f"1e{ceil(log10(max(value, FLOOR)) - 1e-9):+03d}"


def versions() -> dict[str, str]:
    import agreement  # type: ignore[import-not-found]

    table = agreement.read("versions_agreement.csv")
    return dict(zip(table["name"], table["version"].astype(str), strict=True))


def page() -> str:
    import agreement

    from ips_outcomes.analysis.supported import capabilities

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [agreement.difference(case) for case in agreement.CASES if case.estimator in capabilities().index]
    r = versions()
    lines = [
        "# Does it match R?", "",
        f"Written by `python scripts/r_page.py` from the tests' own comparisons; R {r.pop('R')}, "
        + ", ".join(f"{name} {version}" for name, version in r.items())
        + ". R's script and answers: `tests/golden/agreement.R`, one data set of 400 people with heavy monthly ties, delayed entry, "
        "competing events, 50 clusters, three strata, frequencies and weights. The other scripts in `tests/golden/` go further by "
        "topic, each with its own data and answers.", "",
        f"Differences are the largest relative ones over all rows, rounded up to a power of ten; `1e-11` stands for that or "
        f"less. Asserted: estimates within {agreement.ESTIMATE:.0e}, errors, limits and p-values within "
        f"{agreement.ERROR:.0e}, unless another tolerance stands beside the case in tests/agreement.py with its reason.", "",
        "| estimator | compared with | cases | rows | estimates differ by at most | errors, limits, p by at most |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    for estimator in sorted({d.case.estimator for d in found}):
        mine = [d for d in found if d.case.estimator == estimator]
        for function in dict.fromkeys(d.case.r for d in mine):
            rows = [d for d in mine if d.case.r == function]
            errors = [d.error for d in rows if isfinite(d.error)]
            lines.append(_row([f"`{estimator}`", f"`{function}`" if "::" in function else function, "; ".join(d.case.case for d in rows),
                               sum(d.rows for d in rows), told(max(d.estimate for d in rows)), told(max(errors)) if errors else "not compared"]))  # fmt: skip
    lines += ["", "## Compared elsewhere", "", "| estimator | with what, and where |", "| --- | --- |"]
    lines += [_row([f"`{name}`", agreement.ELSEWHERE[name]]) for name in sorted(agreement.ELSEWHERE)]
    lines += ["", "## Other than R, on purpose", "", "| here | R, and why |", "| --- | --- |"]
    lines += [_row([ours, theirs]) for ours, theirs in DEVIATIONS]
    lines += ["", "## Do the intervals cover?", "",
              "What R agrees with may still be a poor interval: [docs/coverage](coverage/README.md) holds the shares of 10,000 simulated "
              "studies in which the truth lay inside, and how small trials and six centres fare."]  # fmt: skip
    lines += ["", "## What every estimator respects", "",
              "From the package's own table (`ips_outcomes.analysis.supported`); what is not supported is refused by name.", ""]  # fmt: skip
    table = capabilities()
    lines += [_row(["estimator", *[c.replace("_", " ") for c in table.columns]]), _row(["---"] * (len(table.columns) + 1))]
    lines += [_row([f"`{name}`", *[table.loc[name, c] or "does not apply" for c in table.columns]]) for name in table.index]
    return "\n".join(lines) + "\n"


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
