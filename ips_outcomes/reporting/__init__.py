"""Estimates to a page: the disclosure gate, tables, figures, report and manifest."""

from ips_outcomes.reporting.report import write_report

__all__ = ["write_report"]
