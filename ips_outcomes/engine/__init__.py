"""Where register files are read, filtered, joined and counted: DuckDB or Spark, with the same answers.

The only room that knows Ibis, DuckDB and PySpark. An expression is written
once; `open_engine` says where it runs.
"""

from ips_outcomes.engine.opening import Engine, open_engine
from ips_outcomes.engine.words import (
    WORD,
    gathered,
    link_counts,
    linked,
    spell_words,
    word_name,
    word_numbers,
)

__all__ = [
    "WORD",
    "Engine",
    "gathered",
    "link_counts",
    "linked",
    "open_engine",
    "spell_words",
    "word_name",
    "word_numbers",
]
