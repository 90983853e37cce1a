"""Writing benefit spells as the tables of FD-Trygd, with the quirks that real deliveries have.

Two end dates stand in these tables: the reported one, empty while a spell goes
on, and the technical one, always filled. They differ where an end came to be
known late, and where none was ever reported. Dates are months, as in the one
delivery whose code is public.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import month_number, parse_month
from ips_outcomes.simulation.files import Keys, pick, with_quirks, write_csv, yyyymm

__all__ = ["TRYGD_PERIOD", "write_benefits"]

TRYGD_PERIOD = ("2011-01", "2018-12")

_KEY = "w20_0451_lnr"


def write_benefits(folder: Path, truth: dict[str, Any], spells: pd.DataFrame, keys: Keys, rng: np.random.Generator) -> None:
    """Write ``f_aap.csv``, ``f_sp.csv``, ``f_arbsok.csv``, ``f_shj.csv`` and ``f_pensj_ufp.dta``."""
    first, last = (parse_month(text) for text in TRYGD_PERIOD)
    spells = spells[(month_number(spells["start"]) <= last) & (month_number(spells["end"]) >= first)]
    spells = spells[keys["benefits"][spells["person"]] != ""].reset_index(drop=True)
    months = _register_months(truth, spells, rng)
    table = pd.DataFrame({_KEY: keys["benefits"][spells["person"]], "benefit": spells["benefit"]}).join(months)

    def of(*benefits: str) -> pd.DataFrame:
        return table[spells["benefit"].isin(benefits)].reset_index(drop=True)

    quirks = truth["quirks"]
    aap = of("aap")
    aap = pd.DataFrame({
        _KEY: aap[_KEY], "KODE": "1", "REGDATO": aap["start"], "TILGDATO": aap["start"],
        "AVGDATO": aap["reported"], "TOMDATO": aap["technical"], "MRK_FNR": "",
    })  # fmt: skip
    aap = with_quirks(quirks, aap, rng, start="TILGDATO", end="AVGDATO", technical="TOMDATO")
    write_csv(aap, folder / "f_aap.csv", "latin-1")
    sick = of("sickness")
    degree = spells.loc[spells["benefit"] == "sickness", "degree"].to_numpy()
    sick = pd.DataFrame({
        _KEY: sick[_KEY], "SPKODE": rng.choice(["10", "20", "30", "60", "90"], len(sick), p=[0.8, 0.05, 0.05, 0.05, 0.05]),
        "SPTILG": sick["start"], "SPAVG": sick["reported"], "SPGRAD": degree.astype(int).astype(str),
    })  # fmt: skip
    write_csv(with_quirks(quirks, sick, rng, start="SPTILG", end="SPAVG", code="SPKODE"), folder / "f_sp.csv", "latin-1")
    seeking = of("unemployment", "individual_support")
    paid = np.where(seeking["benefit"] == "unemployment", "DP", "ID")
    seeking = pd.DataFrame({
        _KEY: seeking[_KEY], "HOVEDARBSTAT": np.where(paid == "DP", "HL", ""), "YTELSE": paid,
        "ASOKTILG": seeking["start"], "ASOKAVG": seeking["reported"], "ASOKTOM": seeking["technical"],
    })  # fmt: skip
    # people register as job-seekers without getting anything for it
    unpaid = seeking.iloc[pick(rng, len(seeking), round(len(seeking) * quirks["seekers_without_benefit"]))].copy()
    unpaid["YTELSE"] = ""
    unpaid[["ASOKTILG", "ASOKAVG", "ASOKTOM"]] = ["201102", "201104", "201104"]
    seeking = with_quirks(quirks, seeking, rng, start="ASOKTILG", end="ASOKAVG", technical="ASOKTOM", plain=unpaid)
    write_csv(seeking, folder / "f_arbsok.csv", "latin-1")
    poor = of("social_assistance")
    poor = pd.DataFrame({
        _KEY: poor[_KEY], "SHJKODE": "0", "SHJ_TILG": poor["start"], "SHJ_AVG": poor["reported"],
        "TOMDATO": poor["technical"],
    })  # fmt: skip
    poor = with_quirks(quirks, poor, rng, start="SHJ_TILG", end="SHJ_AVG", technical="TOMDATO")
    write_csv(poor, folder / "f_shj.csv", "latin-1")
    _write_disability(folder, quirks, of("disability"), rng)


def _register_months(truth: dict[str, Any], spells: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """First month, reported and technical last month as six digits."""
    number, quirks = len(spells), truth["quirks"]
    last, stop = month_number(spells["end"]), parse_month(TRYGD_PERIOD[1])
    ongoing = spells["ongoing"].to_numpy() | (last > stop)
    # an end that came to be known late: the technical end lies some months after the real one
    late = np.where(rng.random(number) < quirks["late_known_ends"], rng.integers(1, 4, number), 0)
    return pd.DataFrame({
        "start": yyyymm(month_number(spells["start"])), "reported": np.where(ongoing, "", yyyymm(last)),
        "technical": yyyymm(np.where(ongoing, stop, np.minimum(last + late, stop))),
    })  # fmt: skip


def _write_disability(folder: Path, quirks: dict[str, Any], table: pd.DataFrame, rng: np.random.Generator) -> None:
    """Write ``f_pensj_ufp.dta``: months as numbers, no degree, and a key of another name than in the text files."""
    months = pd.DataFrame({
        "w20_0451_lopenr_person": table[_KEY],
        "pnsjtilg": table["start"], "pnsjavg": table["reported"], "pnsjtom": table["technical"],
    })  # fmt: skip
    months = with_quirks(quirks, months, rng, start="pnsjtilg", end="pnsjavg", technical="pnsjtom")
    for name in ("pnsjtilg", "pnsjavg", "pnsjtom"):
        months[name] = pd.to_numeric(months[name]).astype(float)
    months.to_stata(
        folder / "f_pensj_ufp.dta", write_index=False, version=118,
        time_stamp=pd.Timestamp("2020-01-01").to_pydatetime(), data_label="Invented people",
    )  # fmt: skip
