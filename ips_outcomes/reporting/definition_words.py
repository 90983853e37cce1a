"""A definition of employed in words: what the study has chosen, for readers of the report, or every setting, for the codebook."""

from __future__ import annotations

from typing import Any

from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Definition

__all__ = ["definition_lines", "every_setting", "setting_text"]


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


def _benefits(degrees: dict[str, float], say: Words, table: str) -> list[str]:
    return [say(f"{table}.without_benefits_{'at' if degree > 0 else 'any'}", benefit=benefit, degree=setting_text(degree, say))
            for benefit, degree in degrees.items()]  # fmt: skip


def _value(name: str, value: Any, say: Words) -> str:
    if name == "without_benefits":
        return "; ".join(_benefits({say(f"benefit.{benefit}"): degree for benefit, degree in value.items()}, say, "rule"))
    if name == "benefits_not_above_inclusion":
        return ", ".join(say(f"benefit.{benefit}") for benefit in value)
    if name == "kinds":
        return ", ".join(say(f"kind.{kind}") for kind in value)
    return setting_text(value, say)


def every_setting(definition: Definition, say: Words) -> list[str]:
    """Every setting that asks for something, defaults too, with its values as the study file has them.

    Examples
    --------
    >>> from ips_outcomes.reporting.words import words
    >>> lines = every_setting(Definition(label="Work", minimum_weekly_hours=20), words("en"))
    >>> lines[0], lines[3]
    ('a job on the 16th of the month', 'at least 20 hours a week over all jobs')
    """
    lines = []
    for name in Definition.model_fields:
        value = getattr(definition, name)
        if name == "label" or value is None or value in ({}, ()):
            continue
        if name == "month_rule":
            lines.append(say(f"month_rule.{value}"))
        elif name in ("wage_subsidy", "if_unanswerable", "work_practice_subtracts", "or_education"):
            lines.append(say(f"codebook.{name}_{setting_text(value, say)}"))
        elif name == "without_benefits":
            lines.append(say("codebook.without_benefits", value=", ".join(_benefits(value, say, "codebook"))))
        else:
            lines.append(say(f"codebook.{name}", value=setting_text(value, say)))
    return lines


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
