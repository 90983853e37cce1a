"""Every example in a docstring runs and says what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import ips_outcomes

MODULES = sorted(m.name for m in pkgutil.walk_packages(ips_outcomes.__path__, "ips_outcomes."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from conftest import ROOT

    # examples name the synthetic study as a person in a checkout would
    monkeypatch.chdir(ROOT)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_public_function_has_an_example() -> None:
    functions = [getattr(ips_outcomes, name) for name in ips_outcomes.__all__ if name[0].islower()]
    assert len(functions) > 8
    for function in functions:
        if function.__name__ != "combine":
            assert ">>>" in (function.__doc__ or ""), function.__name__
