"""A subgroup's condition as a reader would say it."""

from __future__ import annotations

from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Condition, Subgroup
from ips_outcomes.study.conditions import Rule

__all__ = ["condition_words", "heading"]


def condition_words(rule: Rule, say: Words) -> str:
    """The condition with the columns' own labels; what names of other subgroups mean is written out.

    Examples
    --------
    >>> from ips_outcomes.reporting.words import words
    >>> young = Subgroup(label="Young", label_other="Older", column="age", at_least=18, at_most=30)
    >>> both = Subgroup(label="Both", label_other="Others",
    ...                 all_of=[young, {"column": "upper_secondary", "values": ["completed"], "negate": True}])
    >>> condition_words(both, words("en"))
    '(Age, years: 18 to 30) and not (Upper secondary school: completed)'
    >>> condition_words(Subgroup(column="age", breaks=[31, 46]), words("en"))
    'Age, years, cut at 31, 46'
    """
    if isinstance(rule, Condition) and rule.negate:
        return say("condition.negate", condition=condition_words(rule.model_copy(update={"negate": False}), say))
    if isinstance(rule, Condition) and rule.subgroup is not None:
        return condition_words(rule.meant, say)
    if rule.column is None:
        kind = "any_of" if rule.any_of else "all_of"
        parts = [condition_words(part, say) for part in rule.any_of or rule.all_of or ()]
        negated = [isinstance(part, Condition) and part.negate for part in rule.any_of or rule.all_of or ()]
        # a negation has parentheses already
        return say(f"condition.{kind}").join(p if own else f"({p})" for p, own in zip(parts, negated, strict=True))
    name = say.label("baseline", rule.column)
    if isinstance(rule, Subgroup) and rule.breaks is not None:
        return say("condition.breaks", name=name, breaks=", ".join(f"{b:g}" for b in rule.breaks))
    if isinstance(rule, Subgroup) and rule.levels is not None:
        return say("condition.each", name=name)
    if rule.values is not None:
        return f"{name}: {', '.join(say.label('baseline', str(value)) for value in rule.values)}"
    low, high = (None if v is None else f"{v:g}" for v in (rule.at_least, rule.at_most))
    kind = "at_most" if low is None else "at_least" if high is None else "range"
    return f"{name}: {say('condition.' + kind, low=low, high=high)}"


def heading(subgroup: Subgroup, say: Words) -> str:
    """What stands above a subgroup's levels: its name, and in parentheses who is in it."""
    words = condition_words(subgroup, say)
    return f"{subgroup.label} ({words})" if subgroup.label else words
