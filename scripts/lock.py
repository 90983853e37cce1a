"""Write the locks anew: exact versions with hashes, for all platforms, naming no index."""

from __future__ import annotations

from pathlib import Path

from environment import BIN, INSTALLER, LOCKS, ROOT, call, run, uv_environment

EXTRAS = {"run": [], "test": ["--extra", "test", "--extra", "notebooks"]}


def main() -> int:
    requirements = ROOT / "requirements"
    compile_: list[str | Path] = [
        BIN / "python", "-m", "uv", "--quiet", "pip", "compile", "--universal", "--generate-hashes", "--no-emit-index-url",
        "--no-header", "--no-annotate", "--python-version", "3.11", "--constraints", "requirements/constraints.in",
    ]  # fmt: skip
    jobs = [(["requirements/installer.in"], INSTALLER)]
    jobs += [(["pyproject.toml", "requirements/build.in", *EXTRAS[name]], lock) for name, lock in LOCKS.items()]
    for source, lock in jobs:
        code = call(*compile_, *source, "--output-file", lock.relative_to(ROOT), env=uv_environment())
        if code:
            return code
        print(f"{lock.relative_to(ROOT)}: {lock.read_text(encoding='utf-8').count('==')} packages")
    assert requirements.is_dir()
    return run("test", "python", "-m", "uv", "--version")


if __name__ == "__main__":
    raise SystemExit(main())
