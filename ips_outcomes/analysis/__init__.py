"""Person-months and times to event, to `Estimates`. No file format is known here."""

from ips_outcomes.analysis.baseline import baseline_table
from ips_outcomes.analysis.bootstrap import bootstrap_curves
from ips_outcomes.analysis.centres import centre_effects
from ips_outcomes.analysis.checklist import credibility
from ips_outcomes.analysis.compare import compare_arms
from ips_outcomes.analysis.cox_after import proportional_hazards_test
from ips_outcomes.analysis.cox_predict import predicted_incidence
from ips_outcomes.analysis.cox_regression import cox, fit_cox
from ips_outcomes.analysis.curve_tests import expected_events, gray_test, log_rank
from ips_outcomes.analysis.curves import employment_curves
from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.funnel import service_funnel
from ips_outcomes.analysis.hazard import hazard_ratio
from ips_outcomes.analysis.heterogeneity import heterogeneity_test, sorted_groups, targeting_curve
from ips_outcomes.analysis.heterogeneity_scores import cross_fitted_scores
from ips_outcomes.analysis.history import history_check
from ips_outcomes.analysis.incidence import cumulative_incidence
from ips_outcomes.analysis.jobs import jobs_held
from ips_outcomes.analysis.lifelines_door import parametric_survival
from ips_outcomes.analysis.modifiers_of_centres import centre_modifiers
from ips_outcomes.analysis.panel import panel_effect
from ips_outcomes.analysis.pay_totals import work_sums
from ips_outcomes.analysis.periods import period_adjusted_rates
from ips_outcomes.analysis.person_months import months_matrix
from ips_outcomes.analysis.piecewise import piecewise_trends
from ips_outcomes.analysis.process_measures import centre_values, process_table
from ips_outcomes.analysis.published import beside_published, published_rates
from ips_outcomes.analysis.randomisation import randomisation_test
from ips_outcomes.analysis.rates import employment_rates
from ips_outcomes.analysis.resampling import bootstrap_interval
from ips_outcomes.analysis.restricted_mean import longest_horizon, months_gained, rmst
from ips_outcomes.analysis.shares_of_states import state_shares
from ips_outcomes.analysis.smooth_effects import effect_by
from ips_outcomes.analysis.states import months_in_states, state_occupation, state_transitions
from ips_outcomes.analysis.staying import staying_in_work
from ips_outcomes.analysis.strategies import crossover, treatment_strategies
from ips_outcomes.analysis.subdistribution import fine_gray
from ips_outcomes.analysis.subgroup_global import subgroup_global_test
from ips_outcomes.analysis.subgroups import subgroup_effects
from ips_outcomes.analysis.supported import capabilities
from ips_outcomes.analysis.survival import kaplan_meier, nelson_aalen, survival_quantiles
from ips_outcomes.analysis.tenure import job_tenure, re_entry, tenure_quartiles
from ips_outcomes.analysis.times_bootstrap import bootstrap_rmst
from ips_outcomes.analysis.trend import trends
from ips_outcomes.analysis.window_effects import effect_in_windows
from ips_outcomes.analysis.work_totals import months_in_work

__all__ = [
    "baseline_table",
    "beside_published",
    "bootstrap_curves",
    "bootstrap_interval",
    "bootstrap_rmst",
    "capabilities",
    "centre_effects",
    "centre_modifiers",
    "centre_values",
    "compare_arms",
    "cox",
    "credibility",
    "cross_fitted_scores",
    "crossover",
    "cumulative_incidence",
    "effect_by",
    "effect_in_windows",
    "employment_curves",
    "employment_rates",
    "event_table",
    "expected_events",
    "fine_gray",
    "fit_cox",
    "gray_test",
    "hazard_ratio",
    "heterogeneity_test",
    "job_tenure",
    "jobs_held",
    "history_check",
    "kaplan_meier",
    "log_rank",
    "longest_horizon",
    "months_gained",
    "months_in_states",
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
    "published_rates",
    "randomisation_test",
    "re_entry",
    "rmst",
    "service_funnel",
    "sorted_groups",
    "state_occupation",
    "state_shares",
    "state_transitions",
    "staying_in_work",
    "subgroup_effects",
    "subgroup_global_test",
    "survival_quantiles",
    "targeting_curve",
    "tenure_quartiles",
    "treatment_strategies",
    "trends",
    "work_sums",
]
