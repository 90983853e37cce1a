"""Set up what the tests need, then lint, type-check and run the whole suite."""

from __future__ import annotations

import sys

from environment import run

STEPS = [
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("python", "-m", "pytest"),
]


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    rest = [a for a in arguments if a != "--quick"]
    for step in STEPS:
        command = [*step, *(rest if step[-1] == "pytest" else [])]
        if quick and step[-1] == "pytest":
            command += ["-m", "not slow", "-q"]
        print("$", " ".join(command), flush=True)
        code = run("test", *command)
        if code:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
