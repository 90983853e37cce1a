"""Set up what running needs, then make the report of the synthetic study."""

from environment import run

if __name__ == "__main__":
    raise SystemExit(run("run", "ips-outcomes", "run", "data/synthetic/study.toml", "--out", "reports/demo"))
