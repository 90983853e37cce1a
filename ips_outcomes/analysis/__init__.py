"""Person-months and times to event, to `Estimates`. No file format is known here."""

from ips_outcomes.analysis.baseline import baseline_table
from ips_outcomes.analysis.compare import compare_arms
from ips_outcomes.analysis.curve_tests import expected_events, gray_test, log_rank
from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.hazard import hazard_ratio
from ips_outcomes.analysis.incidence import cumulative_incidence
from ips_outcomes.analysis.lifelines_door import parametric_survival
from ips_outcomes.analysis.rates import employment_rates
from ips_outcomes.analysis.restricted_mean import longest_horizon, months_gained, rmst
from ips_outcomes.analysis.survival import kaplan_meier, nelson_aalen, survival_quantiles

__all__ = [
    "baseline_table",
    "compare_arms",
    "cumulative_incidence",
    "employment_rates",
    "event_table",
    "expected_events",
    "gray_test",
    "hazard_ratio",
    "kaplan_meier",
    "log_rank",
    "longest_horizon",
    "months_gained",
    "nelson_aalen",
    "parametric_survival",
    "rmst",
    "survival_quantiles",
]
