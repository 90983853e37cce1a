"""Asking a question that compares arms where the study can, and one arm at a time where it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, combine
from ips_outcomes.followup import FollowUp
from ips_outcomes.study import Study

__all__ = ["arms_with_people", "asked", "compared"]


def arms_with_people(study: Study, followed: FollowUp) -> list[str]:
    """Arms of the study file in which somebody was included, in its order."""
    return [arm for arm in study.arm_labels if (followed.baseline["arm"] == arm).any()]


def compared(study: Study, arms: list[str]) -> bool:
    """Whether there is a reference arm with people, and another."""
    return study.reference in arms and len(arms) > 1


def asked(study: Study, followed: FollowUp, question: Callable[[FollowUp | pd.DataFrame], Estimates]) -> Estimates | None:
    """The answer to a question on person-months; nothing where the data tell nothing."""
    arms = arms_with_people(study, followed)
    if not arms:
        return None
    try:
        if compared(study, arms):
            found = question(followed)
        else:
            months = followed.person_months
            found = combine([question(months[months["arm"] == arm]) for arm in arms], "By arm")
    except UnsupportedError:
        return None
    return found if found.table["estimate"].notna().any() else None
