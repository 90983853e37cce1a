"""Person-months and times to event, to `Estimates`. No file format is known here."""

from ips_outcomes.analysis.baseline import baseline_table
from ips_outcomes.analysis.compare import compare_arms
from ips_outcomes.analysis.cox import cox, fit_cox
from ips_outcomes.analysis.cox_after import proportional_hazards_test
from ips_outcomes.analysis.cox_predict import predicted_incidence
from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.fine_gray import fine_gray
from ips_outcomes.analysis.hazard import hazard_ratio
from ips_outcomes.analysis.incidence import cumulative_incidence
from ips_outcomes.analysis.lifelines_door import parametric_survival
from ips_outcomes.analysis.rates import employment_rates

__all__ = [
    "baseline_table",
    "compare_arms",
    "cox",
    "cumulative_incidence",
    "employment_rates",
    "event_table",
    "fine_gray",
    "fit_cox",
    "hazard_ratio",
    "parametric_survival",
    "predicted_incidence",
    "proportional_hazards_test",
]
