"""How far to believe a difference between subgroups: a checklist, filled from the study file where it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from ips_outcomes.analysis.level_effects import on_log
from ips_outcomes.analysis.many_looks import holm
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.study.conditions import Subgroup
from ips_outcomes.study.model import Study

__all__ = ["QUESTIONS", "REFERENCES", "credibility"]

T = TypeVar("T", bool, str)
Expected: TypeAlias = Literal["larger", "smaller", "none"]
Answer: TypeAlias = tuple[Literal["yes", "no", "unclear"], str]

#: What is asked, by short name, in the order of the checklist.
QUESTIONS = {
    "prespecified": "Was the subgroup chosen before results were known?",
    "direction": "Was the direction named in advance, and is it the one found?",
    "few_tested": "Were few differences tested?",
    "chance": "Is chance an unlikely explanation?",
    "cut": "Was the cut point chosen in advance?",
    "outcomes_and_months": "Does the difference point the same way in every outcome and month?",
    "scales": "Does it point the same way on the additive and on the multiplicative scale?",
}
#: Up to this many tests are few, and more than the second are many.
FEW, MANY = 3, 10
#: Adjusted p-values: up to the first chance is unlikely, above the second it is not.
UNLIKELY, LIKELY = 0.01, 0.05

REFERENCES = (
    "Schandelmaier S, Briel M, Varadhan R, Schmid CH, Devasenapathy N, Hayward RA, et al. Development of the Instrument to "
    "assess the Credibility of Effect Modification Analyses (ICEMAN) in randomized controlled trials and meta-analyses. "
    "CMAJ 2020;192:E901-E906. doi:10.1503/cmaj.200077",
    "Sun X, Briel M, Walter SD, Guyatt GH. Is a subgroup effect believable? Updating criteria to evaluate the credibility of "
    "subgroup analyses. BMJ 2010;340:c117. doi:10.1136/bmj.c117",
)


def credibility(
    subgroup_estimates: Estimates, study: Study | Mapping[str, Subgroup] | None = None, *,
    prespecified: bool | Mapping[str, bool] | None = None, expected: Expected | Mapping[str, Expected] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """A checklist for each subgroup: what speaks for a difference of effects, and what against it.

    It follows the questions of ICEMAN, in words of its own, and gives no score:
    one "no" may be enough not to believe a difference. What the study file or
    the arguments do not say is "unclear", never guessed.

    Parameters
    ----------
    subgroup_estimates : Estimates
        From `subgroup_effects`. Outcomes, months and scales of that call are
        what consistency is judged by.
    study : Study or dict of str to Subgroup, optional
        Where ``prespecified``, ``expected`` and cut points are written down.
    prespecified : bool or dict of str to bool, optional
        Whether each subgroup was named before results were known; goes before
        the study's.
    expected : {"larger", "smaller", "none"} or dict, optional
        The effect in the first level against the others, as it was expected:
        a larger or smaller estimate on the primary scale; goes before the
        study's.

    Returns
    -------
    pandas.DataFrame
        One row a subgroup and question: ``subgroup``, ``question`` (one of
        `QUESTIONS`), ``answer`` ("yes", "no" or "unclear"; yes speaks for the
        difference) and ``why``. Tests are few up to 3 and many above 10;
        chance is unlikely up to an adjusted p of 0.01 and not above 0.05. The
        question of cut points is left out where no number was cut.

    Raises
    ------
    UnsupportedError
        If the estimates hold no differences between subgroups, or a subgroup
        is named that they do not have.

    References
    ----------
    Schandelmaier S et al. CMAJ 2020;192:E901-E906. doi:10.1503/cmaj.200077.
    Sun X et al. BMJ 2010;340:c117. doi:10.1136/bmj.c117.

    Examples
    --------
    >>> from ips_outcomes import subgroup_effects
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 40, "age": (["young"] * 2 + ["old"] * 2) * 20,
    ...                        "works": ([1, 0, 1, 1] * 10 + [1, 0, 0, 0] * 10)})
    >>> found = subgroup_effects(people, "age", "works", reference="control")
    >>> credibility(found, prespecified=True)["answer"].tolist()
    ['yes', 'unclear', 'yes', 'yes', 'unclear', 'unclear', 'yes']
    """
    table = subgroup_estimates.table
    if "compared_with" not in table or not (table["measure"] == "interaction").any():
        raise UnsupportedError("these estimates hold no differences between subgroups: give what subgroup_effects returns")
    groups = study.subgroups if isinstance(study, Study) else dict(study or {})
    tested = table[table["measure"].astype(str).str.startswith("interaction") & (table["measure"] != "interaction_test")]
    names = list(dict.fromkeys(tested["subgroup"]))
    for argument, given in (("prespecified", prespecified), ("expected", expected)):
        strange = sorted(set(given) - set(names)) if isinstance(given, Mapping) else []
        if strange:
            raise UnsupportedError(f"{argument}= names {', '.join(strange)}, which the estimates do not have")
        words = [given] if isinstance(given, str) else list(given.values()) if isinstance(given, Mapping) else []
        if argument == "expected" and set(words) - {"larger", "smaller", "none"}:
            raise UnsupportedError("expected= is one of: larger, smaller, none")
    rows = []
    for name in names:
        group = groups.get(name)
        early = _said(prespecified, name, None if group is None else group.prespecified)
        direction = _said(expected, name, None if group is None else group.expected)
        whole = table[table["subgroup"] == name]
        answers = dict(_answers(whole, tested[tested["subgroup"] == name], group, early, direction))
        rows += [{"subgroup": name, "question": QUESTIONS[key], "answer": answer, "why": why}
                 for key, (answer, why) in answers.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["subgroup", "question", "answer", "why"])


def _said(given: T | Mapping[str, T] | None, name: str, otherwise: T | None) -> T | None:
    if isinstance(given, Mapping):
        return given.get(name, otherwise)
    return otherwise if given is None else given


def _answers(
    whole: pd.DataFrame, tested: pd.DataFrame, group: Subgroup | None, early: bool | None, direction: str | None
) -> Iterator[tuple[str, Answer]]:  # fmt: skip
    primary = tested[tested["measure"] == "interaction"]
    yield "prespecified", _prespecified(early, group)
    yield "direction", _direction(whole, primary, early, direction)
    yield "few_tested", _few(primary)
    yield "chance", _chance(primary)
    if group is None or group.cut:
        yield "cut", _cut(group, early)
    yield "outcomes_and_months", _over_outcomes(primary)
    yield "scales", _over_scales(tested)


def _prespecified(early: bool | None, group: Subgroup | None) -> Answer:
    why = f"; because: {group.rationale}" if group is not None and group.rationale else ""
    if early is None:
        return "unclear", "nothing says whether it was named in advance" + why
    return ("yes", "named in advance" + why) if early else ("no", "thought of when results were known" + why)


def _signs(rows: pd.DataFrame) -> np.ndarray:
    """Whether the effect in ``level`` is larger (1), smaller (-1), the same (0) or not known (NaN) against ``compared_with``."""
    ratio = rows["scale"].map(on_log).to_numpy(dtype=bool)
    return np.sign(rows["estimate"].to_numpy(dtype=float) - ratio)


def _of_first(whole: pd.DataFrame, primary: pd.DataFrame) -> np.ndarray:
    """Signs of the first level against the others, whichever of them is the reference."""
    first = next(level for level in whole["level"] if level)
    signs = _signs(primary)
    return np.concatenate([signs[(primary["level"] == first).to_numpy()], -signs[(primary["compared_with"] == first).to_numpy()]])


def _direction(whole: pd.DataFrame, primary: pd.DataFrame, early: bool | None, direction: str | None) -> Answer:
    if direction is None:
        return "unclear", "nothing says which direction was expected"
    if early is False:
        return "no", "a direction named when results were known is not named in advance"
    known = _adjusted(primary).dropna()
    if direction == "none":
        if known.empty:
            return "unclear", "no difference was expected, and none could be tested"
        if known.min() <= LIKELY:
            return "no", f"no difference was expected, and one was found ({_p(known.min())})"
        named, found = True, "no difference was expected, and none was found; a wide interval does not show that there is none"
    else:
        signs = _of_first(whole, primary)
        signs = signs[np.isfinite(signs)]
        if not len(signs):
            return "unclear", f"a {direction} effect was expected in the first level, and no difference could be estimated"
        as_expected = int((signs == (1 if direction == "larger" else -1)).sum())
        found = f"a {direction} effect was expected in the first level, and found in {as_expected} of {len(signs)} differences"
        if as_expected < len(signs):
            return ("unclear" if as_expected else "no"), found
        named = True
    if early is None:
        return "unclear", found + "; nothing says whether this was named in advance"
    return ("yes" if named else "no"), found


def _few(primary: pd.DataFrame) -> Answer:
    tests = primary["tests"].dropna() if "tests" in primary else pd.Series(dtype=float)
    if tests.empty:
        return "unclear", "nothing says how many differences were tested"
    number = int(tests.max())
    why = f"{number} {'test' if number == 1 else 'tests'} in the family of this call"
    return ("yes" if number <= FEW else "no" if number > MANY else "unclear"), why


def _adjusted(primary: pd.DataFrame) -> pd.Series:
    """P-values adjusted for the family; where there are none, Holm's over the subgroup's own differences."""
    if "p_adjusted" in primary and primary["p_adjusted"].notna().any():
        return primary["p_adjusted"].astype(float)
    alone = primary["p_value"].astype(float).dropna()
    return pd.Series(holm(alone.to_numpy()) if len(alone) else [], index=alone.index, dtype=float)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _chance(primary: pd.DataFrame) -> Answer:
    adjusted = _adjusted(primary).dropna()
    if adjusted.empty:
        return "unclear", "no difference could be tested"
    smallest, alone = float(adjusted.min()), float(primary.loc[adjusted.idxmin(), "p_value"])
    why = f"interaction: {_p(alone)}, adjusted for all that was tested {_p(smallest)}"
    if len(primary) > 1:
        why += f" (the smallest of {len(primary)} differences)"
    return ("yes" if smallest <= UNLIKELY else "no" if smallest > LIKELY else "unclear"), why


def _cut(group: Subgroup | None, early: bool | None) -> Answer:
    if group is None:
        return "unclear", "nothing says how the levels were made"
    if early is None:
        return "unclear", f"nothing says when the cut was chosen ({group.rule})"
    when = "chosen with the subgroup, in advance" if early else "chosen when results were known"
    return ("yes" if early else "no"), f"{when} ({group.rule})"


def _same(signs: pd.Series) -> bool:
    return bool((signs == signs.iloc[0]).all())


def _over_outcomes(primary: pd.DataFrame) -> Answer:
    """Every pair of levels must point one way in all outcomes, months and contrasts."""
    rows = primary.assign(sign=_signs(primary)).dropna(subset="sign")
    asked = rows[["outcome", "month", "contrast"]].drop_duplicates()
    if len(asked) < 2:
        return "unclear", "one outcome and month only"
    together = rows.groupby(["level", "compared_with"], sort=False)["sign"].agg(_same)
    why = f"over {len(asked)} combinations of outcome, month and arms"
    if together.all():
        return "yes", f"the same direction {why}"
    turned = ", ".join(f"{level} against {other}" for level, other in together.index[~together])
    return "no", f"different directions {why}: {turned}"


def _over_scales(tested: pd.DataFrame) -> Answer:
    rows = tested.assign(sign=_signs(tested)).dropna(subset="sign")
    # a difference of arms on one scale is a ratio of the same arms on the other
    rows["contrast"] = rows["contrast"].str.replace(r" [-/] ", " ", regex=True)
    places = rows.groupby(["outcome", "month", "contrast", "level", "compared_with"], sort=False, dropna=False)
    both = places["scale"].agg(lambda scales: scales.map(on_log).nunique()) == 2
    if not both.any():
        return "unclear", "one scale only"
    agree = places["sign"].agg(_same)[both]
    why = f"in {int(agree.sum())} of {len(agree)} differences the scales point the same way"
    return ("yes" if agree.all() else "no"), why
