"""Write data_heterogeneity.csv and data_heterogeneity_multipliers.csv: rows that R and the package are asked about alike.

    python tests/golden/heterogeneity_data.py [folder]

Three folds of which the first only teaches, predictions with ties, chances that differ; drawn once, with a fixed seed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def main(folder: Path) -> None:
    rng = np.random.default_rng(20)
    fold = np.repeat([0, 1, 2], [30, 40, 44])
    n = len(fold)
    propensity = rng.uniform(0.3, 0.7, n).round(4)
    treated = rng.random(n) < propensity
    x = rng.normal(size=n)
    outcome = (1 + x + treated * (0.5 + x) + rng.normal(size=n)).round(5)
    # predictions to one decimal: many people share theirs
    prediction = np.where(fold == 0, np.nan, (0.5 + 0.7 * x + 0.4 * rng.normal(size=n)).round(1))
    pd.DataFrame({
        "fold": fold, "treated": treated.astype(int), "outcome": outcome, "propensity": propensity,
        "reference": (1 + 0.8 * x).round(4), "other": (1.4 + 1.7 * x).round(4), "prediction": prediction, "lot": rng.random(n).round(9),
    }).to_csv(folder / "data_heterogeneity.csv", index=False)  # fmt: skip
    weights = pd.DataFrame(rng.standard_exponential((60, n)).round(6))
    weights.to_csv(folder / "data_heterogeneity_multipliers.csv", index=False, header=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
