"""A definition of employed in words: its month rule, and every setting that is not the default."""

from __future__ import annotations

from typing import Any

from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Definition

__all__ = ["definition_lines", "setting_text"]


def definition_lines(definition: Definition, say: Words) -> list[str]:
    """What makes a month a month in work, and each rule beside it that the study has changed or turned on.

    Examples
    --------
    >>> from ips_outcomes.reporting.words import words
    >>> definition = Definition(label="Work", minimum_weekly_hours=4, without_benefits={"aap": 50})
    >>> for line in definition_lines(definition, words("en")):
    ...     print(line)
    a job on the 16th of the month
    at least 4 hours a week over the jobs that count
    not on work assessment allowance (AAP) at 50 percent or more
    """
    lines = [say(f"month_rule.{definition.month_rule}")]
    for name, field in Definition.model_fields.items():
        value = getattr(definition, name)
        if name in ("label", "month_rule") or value == field.get_default(call_default_factory=True):
            continue
        if name in ("wage_subsidy", "if_unanswerable"):
            lines.append(say(f"rule.{name}_{value}"))
        else:
            lines.append(say(f"rule.{name}", value=_value(name, value, say)))
    return lines


def _value(name: str, value: Any, say: Words) -> str:
    if name == "without_benefits":
        parts = [
            say("rule.without_benefits_at" if degree > 0 else "rule.without_benefits_any",
                benefit=say(f"benefit.{benefit}"), degree=setting_text(degree, say))
            for benefit, degree in value.items()
        ]  # fmt: skip
        return "; ".join(parts)
    if name == "benefits_not_above_inclusion":
        return ", ".join(say(f"benefit.{benefit}") for benefit in value)
    if name == "kinds":
        return ", ".join(say(f"kind.{kind}") for kind in value)
    return setting_text(value, say)


def setting_text(value: Any, say: Words) -> str:
    """A setting's value as the study file has it; off where nothing is asked."""
    if value is None or value in ({}, ()):
        return say("setting.off")
    if isinstance(value, dict):
        return ", ".join(f"{key} = {setting_text(part, say)}" for key, part in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
