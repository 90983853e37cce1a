"""Person-months and times to event, to `Estimates`. No file format is known here."""

from ips_outcomes.analysis.baseline import baseline_table
from ips_outcomes.analysis.compare import compare_arms
from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.hazard import hazard_ratio
from ips_outcomes.analysis.incidence import cumulative_incidence
from ips_outcomes.analysis.lifelines_door import parametric_survival
from ips_outcomes.analysis.panel import panel_effect
from ips_outcomes.analysis.rates import employment_rates

__all__ = [
    "baseline_table",
    "compare_arms",
    "cumulative_incidence",
    "employment_rates",
    "event_table",
    "hazard_ratio",
    "panel_effect",
    "parametric_survival",
]
