"""What makes eleven digits a national identity number, and how they are written.

References
----------
Skatteetaten, folkeregisteret-api-dokumentasjon, nyttfnr2032.md (control digits
from 2032, synthetic numbers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "FILLED", "as_digits", "different_texts", "embedded", "embedded_numbers", "judge", "masked", "replace_embedded",
    "says_identity", "whole_numbers", "whole_texts",
]  # fmt: skip

#: Added to a number of ten digits that lost its leading zero, so that it stays apart from one of eleven.
FILLED = 10**11

_FIRST = np.array([3, 7, 6, 1, 8, 9, 4, 5, 2, 1])
_SECOND = np.array([5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])
#: Added to the month: H-numbers and NAV's synthetic people, Norsk helsenett's, Skatteetaten's.
_MONTH_SHIFTS = (0, 40, 65, 80)

#: What people write between the digits: blanks of all kinds, dots, hyphens and dashes, slash, colon, quotes.
_BETWEEN = r"\s\x{a0}\x{2007}\x{2009}\x{202f}\x{feff}.\-/:\x{2010}-\x{2015}\x{2212}"
_SEPARATORS = "[" + _BETWEEN + r"'\"=]"
_GAP = "[" + _BETWEEN + "]{0,3}"
#: In running text the digits stand as DDMMYY IIIKK; 01.02.2020 125 is a date and a number, not eleven digits.
_GROUPS = rf"[0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{3}}{_GAP}[0-9]{{2}}"
_TEN_DIGITS = r"[0-9](?:[^0-9]{0,4}[0-9]){9}"


def _python(pattern: str) -> str:
    """An RE2 pattern in Python's spelling."""
    return re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: f"\\u{found[1]:0>4}", pattern)


#: Overlapping, because a number of another kind may stand just before: "12 151086 95088".
_EMBEDDED = re.compile(rf"(?<![0-9])(?=({_python(_GROUPS)})(?![0-9]))")
#: The digits are decimals, or have some: an amount.
_DECIMALS_OF, _HAS_DECIMALS = re.compile(r"(?<![0-9])[0-9]{1,6}[.,]$"), re.compile(r"[.,][0-9]{1,6}(?![0-9])")

_LONG_WORDS = ("fodselsn", "personnummer", "personnr", "dnummer", "identnummer", "identifikasjonsnummer", "personidentifikator")
_SHORT_WORDS = {"fnr", "pid", "dnr", "pnr"}


def says_identity(header: str) -> bool:
    """Whether a column's name says that it holds national identity numbers.

    Examples
    --------
    >>> [says_identity(name) for name in ("FNR", "barn_fnr1", "Fødselsnummer", "FÃ¸dselsnr", "foedsels_nr", "lopenr_person")]
    [True, True, True, True, True, False]
    """
    plain = re.sub(r"(?<=[a-zæøå])(?=[A-ZÆØÅ])", "_", header).lower()
    for written in ("ã¸", "ø", "oe", "ö"):
        plain = plain.replace(written, "o")
    words = re.findall("[a-z]+", plain)
    return bool(_SHORT_WORDS & set(words)) or any(word in "".join(words) for word in _LONG_WORDS)


def as_digits(numbers: np.ndarray) -> list[str]:
    """The eleven digits of each number, a lost leading zero put back."""
    return [f"{number % FILLED:011d}" for number in numbers.tolist()]


def judge(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which numbers could be one by their date, by the rule from 2032, and by today's rule.

    The day may be that of a D-number, the month that of a synthetic one; the
    health sector's FH-numbers begin with 8 or 9 and carry no date. From 2032
    the first control digit may leave a remainder of 0 to 3, today 0 only.
    """
    digits = (numbers[:, None] // 10 ** np.arange(10, -1, -1)) % 10
    day, month = digits[:, 0] * 10 + digits[:, 1], digits[:, 2] * 10 + digits[:, 3]
    dated = (((day >= 1) & (day <= 31)) | ((day >= 41) & (day <= 71))) & np.logical_or.reduce(
        [(month >= 1 + shift) & (month <= 12 + shift) for shift in _MONTH_SHIFTS]
    )
    plausible = dated | (digits[:, 0] >= 8)
    second = (digits @ _SECOND) % 11 == 0
    remainder = (digits[:, :10] @ _FIRST) % 11
    strict = plausible & second & (remainder == 0)
    return plausible, strict | (dated & second & (remainder <= 3)), strict


def _texts(values: pd.Series) -> pa.Array:
    try:
        texts = pa.array(values, type=pa.large_string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeError):
        # cells of many kinds, or bytes that are no text: each as it prints itself
        missing = values.isna().to_numpy()
        written = [None if no else _printed(value) for value, no in zip(values, missing, strict=True)]
        texts = pa.array(written, type=pa.large_string())
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _printed(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value).encode("utf-8", "replace").decode()


def _from_floats(values: np.ndarray) -> np.ndarray:
    found = np.full(len(values), -1, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        fits = (values >= 1e9) & (values < 1e11) & (values == np.floor(values))
    if fits.any():
        whole = values[fits].astype(np.int64)
        found[fits] = np.where(whole < 10**10, whole + FILLED, whole)
    return found


def _from_texts(texts: pa.Array) -> np.ndarray:
    """The number that each text is, in its ten or eleven digits however they are written; -1 for none."""
    found = np.full(len(texts), -1, dtype=np.int64)
    if not len(texts):
        return found
    # first whole floats, then exponents: their dot is no separator
    plain = pc.replace_substring_regex(texts, r"^\s*([0-9]{10,11})[.,]0*\s*$", r"\1")
    plain = pc.replace_substring_regex(plain, _SEPARATORS, "")
    shaped = pc.match_substring_regex(plain, "^[0-9]{10,11}$").to_numpy(zero_copy_only=False)
    if shaped.any():
        digits = plain.filter(pa.array(shaped))
        numbers = digits.cast(pa.int64()).to_numpy()
        found[shaped] = numbers + np.where(pc.binary_length(digits).to_numpy() == 10, FILLED, 0)
    powers = pc.match_substring_regex(texts, r"^\s*[0-9][.,][0-9]{3,10}[eE][+]?0?(?:9|10)\s*$").to_numpy(zero_copy_only=False)
    if powers.any():
        written = [float(text.replace(",", ".")) for text in texts.filter(pa.array(powers)).to_pylist()]
        found[powers] = _from_floats(np.array(written))
    return found


def whole_numbers(values: pd.Series) -> np.ndarray:
    """The number of ten or eleven digits that each cell is, -1 where it is none.

    Blanks, dots, hyphens, a float's ``.0`` or exponent and a lost leading zero
    hide nothing. A number of ten digits is given with `FILLED` added.
    """
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return np.full(len(values), -1, dtype=np.int64)
    if pd.api.types.is_numeric_dtype(values):
        return _from_floats(values.to_numpy(dtype=float, na_value=np.nan))
    return whole_texts(_texts(values))


def whole_texts(texts: pa.Array) -> np.ndarray:
    """As `whole_numbers`, of texts."""
    found = np.full(len(texts), -1, dtype=np.int64)
    likely = pc.fill_null(pc.match_substring_regex(texts, _TEN_DIGITS), False)
    found[likely.to_numpy(zero_copy_only=False)] = _from_texts(texts.filter(likely))
    return found


def different_texts(values: pd.Series) -> tuple[int, pa.Array, np.ndarray]:
    """How many cells hold something, the different texts long enough to hold a number, and the cells of each."""
    texts = _texts(values)
    lengths = pc.binary_length(texts)
    cells = pc.sum(pc.greater(lengths, 0)).as_py() or 0
    if (pc.max(lengths).as_py() or 0) < 10:
        return cells, pa.array([], type=pa.large_string()), np.empty(0, dtype=np.int64)
    counted = texts.filter(pc.fill_null(pc.greater_equal(lengths, 10), False)).value_counts()
    return cells, counted.field("values"), counted.field("counts").to_numpy()


def embedded(text: str) -> Iterator[tuple[int, int, int, bool]]:
    """Eleven digits inside a longer text: where from, where to, the number, and whether a letter touches it.

    Part of a longer run of digits is not taken, nor are the digits of an amount
    with decimals.

    Examples
    --------
    >>> [(text, touched) for *_, text, touched in embedded("ring 151086 95088 i morgen")]
    [(15108695088, False)]
    >>> list(embedded("konto 1510869508812, beløp 15108695088.50"))
    []
    """
    for match in _EMBEDDED.finditer(text):
        start, end = match.span(1)
        if _DECIMALS_OF.search(text[max(0, start - 8) : start]) or _HAS_DECIMALS.match(text, end):
            continue
        touched = text[start - 1 : start].isalpha() or text[end : end + 1].isalpha()
        yield start, end, int(re.sub("[^0-9]", "", match[1])), touched


def embedded_numbers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers embedded in any of the texts, and which of them touch a letter."""
    texts = texts.filter(pc.match_substring_regex(texts, _GROUPS)) if len(texts) else texts
    if not len(texts):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)
    # eleven digits and no other in a text is by far the most frequent case, and needs no loop
    alone = pc.match_substring_regex(texts, "^[^0-9]*[0-9]{11}[^0-9]*$")
    simple = texts.filter(alone)
    numbers = pc.replace_substring_regex(simple, "[^0-9]+", "").cast(pa.int64()).to_numpy()
    touched = pc.match_substring_regex(simple, r"\pL[0-9]{11}|[0-9]{11}\pL").to_numpy(zero_copy_only=False)
    inside = [found[2:] for text in texts.filter(pc.invert(alone)).to_pylist() for found in embedded(text)]
    others = np.array(inside, dtype=np.int64).reshape(-1, 2)
    return np.concatenate([numbers, others[:, 0]]), np.concatenate([touched, others[:, 1] == 1])


def replace_embedded(text: str, write: Callable[[int], str]) -> tuple[str, int]:
    """A text with every identity number inside it written otherwise, and how many there were."""
    parts, done, count = [], 0, 0
    for start, end, number, _ in embedded(text):
        if start >= done and judge(np.array([number]))[1][0]:
            parts += [text[done:start], write(number)]
            done, count = end, count + 1
    return "".join([*parts, text[done:]]), count


def masked(text: str) -> str:
    """A file or column name without the identity numbers in it.

    Examples
    --------
    >>> masked("skjema_15108695088.csv")
    'skjema_***********.csv'
    """
    shown, count = replace_embedded(text, lambda _: "*" * 11)
    whole = whole_numbers(pd.Series([text], dtype=object))
    if not count and whole[0] >= 0 and judge(whole % FILLED)[1][0]:
        return "*" * 11
    return shown
