"""What is asked: the study file, read and checked before any data is."""

from ips_outcomes.study.conditions import Condition, Subgroup
from ips_outcomes.study.layout import Column, Layout, load_layout
from ips_outcomes.study.model import Benefit, Definition, EngineSettings, Key, Source, Study, SubgroupAnalysis
from ips_outcomes.study.reading import as_study, load_study

__all__ = [
    "Benefit",
    "Column",
    "Condition",
    "Definition",
    "EngineSettings",
    "Key",
    "Layout",
    "Source",
    "Study",
    "Subgroup",
    "SubgroupAnalysis",
    "as_study",
    "load_layout",
    "load_study",
]
