"""What the states of a study are called."""

from __future__ import annotations

from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["state_labels"]


def state_labels(study: Study, say: Words) -> dict[str, str]:
    """Label of each state, in the order they are shown; those that every study has are the package's own words."""
    if study.states is None:
        return {}
    rules = study.states.rules
    return {name: rules[name].label if name in rules else say(f"states.{name}") for name in study.states.names}
