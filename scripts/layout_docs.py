"""Write docs/layouts.md anew from the layout files."""

from __future__ import annotations

from pathlib import Path

from ips_outcomes.study.describing import layouts_page

PAGE = Path(__file__).parent.parent / "docs" / "layouts.md"

if __name__ == "__main__":
    PAGE.write_text(layouts_page(), encoding="utf-8", newline="\n")
    print(PAGE)
