"""How wide a text is before it is drawn: figures laid out by hand need no solver and no luck."""

from __future__ import annotations

from functools import cache, lru_cache

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

__all__ = ["line_height", "width_of", "wrapped"]

FAMILY = "DejaVu Sans"
_DPI = 288.0
#: A renderer of another resolution rounds letters otherwise.
_SLACK = 1.03


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(8, 8, _DPI)


@lru_cache(maxsize=4096)
def width_of(text: str, size: float, bold: bool = False) -> float:
    """Width in inches of one line of text at a size in points.

    Examples
    --------
    >>> width_of("", 7), width_of("wider", 7) < width_of("wider", 7, bold=True)
    (0.0, True)
    """
    if not text:
        return 0.0
    font = FontProperties(family=FAMILY, size=size, weight="bold" if bold else "normal")
    return float(_renderer().get_text_width_height_descent(text, font, ismath=False)[0]) / _DPI * _SLACK


def line_height(size: float) -> float:
    """Inches from one line to the next."""
    return 1.4 * size / 72


def wrapped(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """A text in lines of at most a width in inches; a word that is wider stands alone, cut in pieces where it must be.

    Examples
    --------
    >>> wrapped("Upper secondary not completed", 1.1, 7)
    ['Upper secondary not', 'completed']
    """
    lines, line = list[str](), ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width_of(longer, size, bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while width_of(word, size, bold) > width and len(word) > 1:
            cut = max((n for n in range(1, len(word)) if width_of(word[:n] + "-", size, bold) <= width), default=1)
            lines.append(word[:cut] + "-")
            word = word[cut:]
        line = word
    return [*lines, line] if line or not lines else lines
