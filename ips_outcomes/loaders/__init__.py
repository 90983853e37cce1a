"""Any extract, harmonised: a few checked tables with pseudonymous people."""

from ips_outcomes.loaders.cohort import Cohort, load_cohort

__all__ = ["Cohort", "load_cohort"]
