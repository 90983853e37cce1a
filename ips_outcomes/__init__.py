"""From raw trial and register extracts to a disclosure-safe 43-month follow-up report.

Names are imported when they are first used, so that ``ips-outcomes --help``
does not wait for pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ips_outcomes import _drawing
from ips_outcomes._version import __version__

if TYPE_CHECKING:
    from ips_outcomes.analysis import (
        baseline_table,
        compare_arms,
        cox,
        cumulative_incidence,
        employment_rates,
        fine_gray,
        fit_cox,
        hazard_ratio,
        parametric_survival,
        predicted_incidence,
        proportional_hazards_test,
    )
    from ips_outcomes.errors import DataError, StudyError, UnsupportedError
    from ips_outcomes.estimates import Estimates, combine
    from ips_outcomes.followup import FollowUp, follow_up
    from ips_outcomes.followup.national import count_months
    from ips_outcomes.loaders import Cohort, load_cohort
    from ips_outcomes.reporting import write_report
    from ips_outcomes.reporting.checking import check_study
    from ips_outcomes.reporting.export import export_study
    from ips_outcomes.simulation import simulate_study
    from ips_outcomes.study import Study, load_study

_HOME = {
    "Cohort": "ips_outcomes.loaders",
    "DataError": "ips_outcomes.errors",
    "Estimates": "ips_outcomes.estimates",
    "FollowUp": "ips_outcomes.followup",
    "Study": "ips_outcomes.study",
    "StudyError": "ips_outcomes.errors",
    "UnsupportedError": "ips_outcomes.errors",
    "baseline_table": "ips_outcomes.analysis",
    "combine": "ips_outcomes.estimates",
    "check_study": "ips_outcomes.reporting.checking",
    "compare_arms": "ips_outcomes.analysis",
    "count_months": "ips_outcomes.followup.national",
    "cox": "ips_outcomes.analysis",
    "cumulative_incidence": "ips_outcomes.analysis",
    "employment_rates": "ips_outcomes.analysis",
    "export_study": "ips_outcomes.reporting.export",
    "fine_gray": "ips_outcomes.analysis",
    "fit_cox": "ips_outcomes.analysis",
    "follow_up": "ips_outcomes.followup",
    "hazard_ratio": "ips_outcomes.analysis",
    "load_cohort": "ips_outcomes.loaders",
    "load_study": "ips_outcomes.study",
    "parametric_survival": "ips_outcomes.analysis",
    "predicted_incidence": "ips_outcomes.analysis",
    "proportional_hazards_test": "ips_outcomes.analysis",
    "simulate_study": "ips_outcomes.simulation",
    "write_report": "ips_outcomes.reporting",
}

__all__ = [
    "Cohort",
    "DataError",
    "Estimates",
    "FollowUp",
    "Study",
    "StudyError",
    "UnsupportedError",
    "__version__",
    "baseline_table",
    "check_study",
    "combine",
    "compare_arms",
    "count_months",
    "cox",
    "cumulative_incidence",
    "employment_rates",
    "export_study",
    "fine_gray",
    "fit_cox",
    "follow_up",
    "hazard_ratio",
    "load_cohort",
    "load_study",
    "parametric_survival",
    "predicted_incidence",
    "proportional_hazards_test",
    "simulate_study",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ips_outcomes' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])


def _draw(estimates: Any, **options: Any) -> Any:
    return import_module("ips_outcomes.reporting.figures").draw_estimates(estimates, **options)


_drawing.drawer = _draw
