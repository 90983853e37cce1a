"""Set up what the tests need, then lint, type-check and run the whole suite."""

from __future__ import annotations

import sys

from environment import run

STEPS = [
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    # a file's tests share what they are slow to make, so each file goes to one process
    ("python", "-m", "pytest", "-n", "auto", "--dist", "loadfile"),
]


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    rest = [a for a in arguments if a != "--quick"]
    for step in STEPS:
        command = [*step, *(rest if "pytest" in step else [])]
        if quick and "pytest" in step:
            command += ["-m", "not slow", "-q"]
        print("$", " ".join(command), flush=True)
        code = run("test", *command)
        if code:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
