"""Find or make .venv in this checkout and run something in it.

    python scripts/environment.py run -- ips-outcomes --version
    python scripts/environment.py test -- pytest

The first word names the lock: run (what running needs) or test (everything).
Only the standard library is used here, so that any Python 3.11 or later can
start it, with or without make.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCKS = {"run": ROOT / "requirements" / "run.txt", "test": ROOT / "requirements" / "test.txt"}
INSTALLER = ROOT / "requirements" / "installer.txt"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def call(*command: str | Path, env: dict[str, str] | None = None, quiet: bool = False) -> int:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=env, stdout=output, stderr=output).returncode


def stamp_of(lock: Path) -> str:
    content = lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def pip_setting(name: str) -> str:
    """What the user's pip is told about its index: uv does not read pip's files."""
    shown = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "get", f"global.{name}"], capture_output=True, text=True, check=False
    )
    return os.environ.get("PIP_" + name.upper().replace("-", "_"), shown.stdout.strip() if shown.returncode == 0 else "")


def uv_environment() -> dict[str, str]:
    env = {**os.environ, "VIRTUAL_ENV": str(VENV), "UV_COMPILE_BYTECODE": "1", "UV_LINK_MODE": "copy"}
    for setting, variable in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        value = pip_setting(setting)
        if value and variable not in env:
            env[variable] = value
    return env


def install(lock: Path) -> None:
    """Install the exact versions of a lock, then the project itself, without build isolation."""
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    uv: list[str | Path] = [PYTHON, "-m", "uv", "--quiet", "pip", "install"]
    project: list[str | Path] = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    # uv is quick; where it cannot be had or cannot reach the index, pip reads the same lock
    if call(*pip, "install", "--require-hashes", "-r", INSTALLER, quiet=True) == 0:
        env = uv_environment()
        if call(*uv, "--require-hashes", "-r", lock, env=env, quiet=True) == 0 and call(*uv, *project, env=env) == 0:
            return
        say("uv could not install; trying pip")
    steps: list[list[str | Path]] = [["install", "--require-hashes", "-r", lock], ["install", *project]]
    for step in steps:
        if call(*pip, *step) != 0:
            raise SystemExit("The installation failed: see above. A package index must be reachable, or a wheel folder.")


def ensure(which: str) -> None:
    """Make .venv if it is not there, and bring it to the wanted lock."""
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may start it with an older one
        raise SystemExit(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}")
    lock, stamp = LOCKS[which], VENV / f".installed-{which}"
    # the test lock holds everything that the run lock does
    stamps = [stamp, VENV / ".installed-test"] if which == "run" else [stamp]
    wanted = {path: stamp_of(LOCKS[path.name.removeprefix(".installed-")]) for path in stamps}
    if any(path.is_file() and path.read_text() == text for path, text in wanted.items()) and PYTHON.is_file():
        return
    started = time.monotonic()
    if not PYTHON.is_file():
        if VENV.exists():
            shutil.rmtree(VENV)
        say(f"Making an environment in {VENV.name} ...")
        venv.create(VENV, with_pip=True)
    say(f"Installing what is needed to {which} ({lock.relative_to(ROOT).as_posix()}) ...")
    install(lock)
    stamp.write_text(wanted[stamp])
    say(f"The environment is ready ({time.monotonic() - started:.0f} s).")


def run(which: str, *command: str) -> int:
    """Run a command of the environment."""
    ensure(which)
    env = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    program = shutil.which(command[0], path=env["PATH"]) or command[0]
    return subprocess.run([program, *command[1:]], cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in LOCKS or sys.argv[2] != "--":
        raise SystemExit(__doc__)
    raise SystemExit(run(sys.argv[1], *sys.argv[3:]))
