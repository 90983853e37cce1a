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
        bootstrap_curves,
        bootstrap_interval,
        bootstrap_rmst,
        capabilities,
        centre_effects,
        centre_modifiers,
        centre_values,
        compare_arms,
        cox,
        credibility,
        cross_fitted_scores,
        cumulative_incidence,
        effect_by,
        effect_in_windows,
        employment_curves,
        employment_rates,
        expected_events,
        fine_gray,
        fit_cox,
        gray_test,
        hazard_ratio,
        heterogeneity_test,
        history_check,
        kaplan_meier,
        log_rank,
        longest_horizon,
        months_gained,
        months_in_work,
        months_matrix,
        nelson_aalen,
        panel_effect,
        parametric_survival,
        period_adjusted_rates,
        piecewise_trends,
        predicted_incidence,
        process_table,
        proportional_hazards_test,
        randomisation_test,
        rmst,
        sorted_groups,
        subgroup_effects,
        subgroup_global_test,
        survival_quantiles,
        targeting_curve,
        trends,
        work_sums,
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
    from ips_outcomes.study import Study, Subgroup, load_study

_HOME = {
    "Cohort": "ips_outcomes.loaders",
    "DataError": "ips_outcomes.errors",
    "Estimates": "ips_outcomes.estimates",
    "FollowUp": "ips_outcomes.followup",
    "Study": "ips_outcomes.study",
    "StudyError": "ips_outcomes.errors",
    "Subgroup": "ips_outcomes.study",
    "UnsupportedError": "ips_outcomes.errors",
    "baseline_table": "ips_outcomes.analysis",
    "bootstrap_curves": "ips_outcomes.analysis",
    "bootstrap_interval": "ips_outcomes.analysis",
    "bootstrap_rmst": "ips_outcomes.analysis",
    "capabilities": "ips_outcomes.analysis",
    "centre_effects": "ips_outcomes.analysis",
    "centre_modifiers": "ips_outcomes.analysis",
    "centre_values": "ips_outcomes.analysis",
    "check_study": "ips_outcomes.reporting.checking",
    "combine": "ips_outcomes.estimates",
    "compare_arms": "ips_outcomes.analysis",
    "count_months": "ips_outcomes.followup.national",
    "cox": "ips_outcomes.analysis",
    "credibility": "ips_outcomes.analysis",
    "cross_fitted_scores": "ips_outcomes.analysis",
    "cumulative_incidence": "ips_outcomes.analysis",
    "effect_by": "ips_outcomes.analysis",
    "effect_in_windows": "ips_outcomes.analysis",
    "employment_curves": "ips_outcomes.analysis",
    "employment_rates": "ips_outcomes.analysis",
    "expected_events": "ips_outcomes.analysis",
    "export_study": "ips_outcomes.reporting.export",
    "fine_gray": "ips_outcomes.analysis",
    "fit_cox": "ips_outcomes.analysis",
    "follow_up": "ips_outcomes.followup",
    "gray_test": "ips_outcomes.analysis",
    "hazard_ratio": "ips_outcomes.analysis",
    "heterogeneity_test": "ips_outcomes.analysis",
    "history_check": "ips_outcomes.analysis",
    "kaplan_meier": "ips_outcomes.analysis",
    "load_cohort": "ips_outcomes.loaders",
    "load_study": "ips_outcomes.study",
    "log_rank": "ips_outcomes.analysis",
    "longest_horizon": "ips_outcomes.analysis",
    "months_gained": "ips_outcomes.analysis",
    "months_in_work": "ips_outcomes.analysis",
    "months_matrix": "ips_outcomes.analysis",
    "nelson_aalen": "ips_outcomes.analysis",
    "panel_effect": "ips_outcomes.analysis",
    "parametric_survival": "ips_outcomes.analysis",
    "period_adjusted_rates": "ips_outcomes.analysis",
    "piecewise_trends": "ips_outcomes.analysis",
    "predicted_incidence": "ips_outcomes.analysis",
    "process_table": "ips_outcomes.analysis",
    "proportional_hazards_test": "ips_outcomes.analysis",
    "randomisation_test": "ips_outcomes.analysis",
    "rmst": "ips_outcomes.analysis",
    "simulate_study": "ips_outcomes.simulation",
    "sorted_groups": "ips_outcomes.analysis",
    "subgroup_effects": "ips_outcomes.analysis",
    "subgroup_global_test": "ips_outcomes.analysis",
    "survival_quantiles": "ips_outcomes.analysis",
    "targeting_curve": "ips_outcomes.analysis",
    "trends": "ips_outcomes.analysis",
    "work_sums": "ips_outcomes.analysis",
    "write_report": "ips_outcomes.reporting",
}

__all__ = [
    "Cohort",
    "DataError",
    "Estimates",
    "FollowUp",
    "Study",
    "StudyError",
    "Subgroup",
    "UnsupportedError",
    "__version__",
    "baseline_table",
    "bootstrap_curves",
    "bootstrap_interval",
    "bootstrap_rmst",
    "capabilities",
    "centre_effects",
    "centre_modifiers",
    "centre_values",
    "check_study",
    "combine",
    "compare_arms",
    "count_months",
    "cox",
    "credibility",
    "cross_fitted_scores",
    "cumulative_incidence",
    "effect_by",
    "effect_in_windows",
    "employment_curves",
    "employment_rates",
    "expected_events",
    "export_study",
    "fine_gray",
    "fit_cox",
    "follow_up",
    "gray_test",
    "hazard_ratio",
    "heterogeneity_test",
    "history_check",
    "kaplan_meier",
    "load_cohort",
    "load_study",
    "log_rank",
    "longest_horizon",
    "months_gained",
    "months_in_work",
    "months_matrix",
    "nelson_aalen",
    "panel_effect",
    "parametric_survival",
    "period_adjusted_rates",
    "piecewise_trends",
    "predicted_incidence",
    "process_table",
    "proportional_hazards_test",
    "randomisation_test",
    "rmst",
    "simulate_study",
    "sorted_groups",
    "subgroup_effects",
    "subgroup_global_test",
    "survival_quantiles",
    "targeting_curve",
    "trends",
    "work_sums",
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
