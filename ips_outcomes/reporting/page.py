"""The page: one HTML file that opens from disk, without network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2

from ips_outcomes.reporting.tables import Badge, Noted, Shown

__all__ = ["Drawn", "render"]


@dataclass(frozen=True)
class Drawn:
    """A figure as it goes into the page: wide and narrow SVG, and words."""

    name: str
    caption: str
    alt: str
    wide: bytes
    narrow: bytes
    size: tuple[int, int]
    section: str = ""
    """The chapter that it belongs to; empty where the page's own sections name their figures."""


def _data(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def render(template: str = "page.html.j2", /, **values: Any) -> str:
    """Fill a template; everything that comes from a study is escaped."""
    loader = jinja2.FunctionLoader(lambda name: (resources.files("ips_outcomes.reporting") / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)  # fmt: skip
    environment.filters["data"] = _data
    environment.tests["shown"] = lambda value: isinstance(value, Shown)
    environment.tests["noted"] = lambda value: isinstance(value, Noted)
    environment.tests["badge"] = lambda value: isinstance(value, Badge)
    return environment.get_template(template).render(**values)
