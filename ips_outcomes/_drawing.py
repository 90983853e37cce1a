"""How an `Estimates` finds somebody to draw it.

Nothing but the reporting room draws, and a lower room never imports a higher
one. The package's front door, which stands above all rooms, puts the drawing
function here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

drawer: Callable[..., Any] | None = None
