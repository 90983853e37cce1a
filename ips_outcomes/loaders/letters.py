"""Letters that were read in the wrong encoding somewhere on their way: "Ã¥" for "å"."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["as_meant", "garbled", "garbled_labels", "lost"]

#: The bytes 80 to 9F as cp1252 shows them; Latin-1 shows them as control characters.
_SHOWN = bytes(b for b in range(0x80, 0xA0) if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)).decode("cp1252")
#: A first byte of a two-byte letter (C2, C3), then a second byte (80 to BF): no language writes these side by side.
_GARBLED = f"[ÂÃ][\u0080-\u00bf{_SHOWN}]"
_PATTERN = re.compile(_GARBLED)


def as_meant(text: str) -> str:
    """The text as it was meant, where UTF-8 bytes were shown as Latin-1 or cp1252; else the text itself.

    Examples
    --------
    >>> as_meant("FÃ¸dselsÃ¥r"), as_meant("Fødselsår"), as_meant("Ã…r")
    ('Fødselsår', 'Fødselsår', 'År')
    """
    if _PATTERN.search(text) is None:
        return text
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return text


def _count(texts: pd.Series, pattern: str) -> int:
    if "".join(texts.to_numpy(dtype=object)).isascii():
        # by far the most frequent case, and quicker to tell than to search
        return 0
    values = pa.array(texts.to_numpy(dtype=object), type=pa.string(), from_pandas=True)
    return pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0


def garbled(texts: pd.Series) -> int:
    """How many texts hold UTF-8 bytes shown as Latin-1.

    Examples
    --------
    >>> garbled(pd.Series(["nÃ¥r", "når", "São Tomé", ""]))
    1
    """
    return _count(texts, _GARBLED)


def lost(texts: pd.Series) -> int:
    """How many texts hold the mark that stands for a letter which an earlier program could not read."""
    return _count(texts, "\ufffd")


def garbled_labels(labels: Iterable[str]) -> int:
    """How many labels hold UTF-8 bytes shown as Latin-1."""
    return sum(_PATTERN.search(label) is not None for label in labels)
