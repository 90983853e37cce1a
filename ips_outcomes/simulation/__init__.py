"""Invented extracts in the registers' own layouts, with a known truth."""

from ips_outcomes.simulation.people import load_truth
from ips_outcomes.simulation.study import simulate_study

__all__ = ["load_truth", "simulate_study"]
