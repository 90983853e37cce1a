# Each target is one line; without make, run the line itself.
PYTHON ?= python3

.PHONY: demo test quick lock notebooks data layouts bench bench-large bench-estimators bench-resampling coverage familywise rpage clean
demo:       ; $(PYTHON) scripts/demo.py
test:       ; $(PYTHON) scripts/test.py
quick:      ; $(PYTHON) scripts/test.py --quick
lock:       ; $(PYTHON) scripts/lock.py
notebooks:  ; $(PYTHON) scripts/environment.py test -- python scripts/run_notebooks.py
data:       ; $(PYTHON) scripts/environment.py run -- ips-outcomes simulate --out data/synthetic --seed 146
layouts:    ; $(PYTHON) scripts/environment.py run -- python scripts/layout_docs.py
bench:      ; $(PYTHON) scripts/environment.py test -- python benchmarks/run.py --sizes 10000 1000000
bench-large: ; $(PYTHON) scripts/environment.py test -- python benchmarks/large.py
bench-estimators: ; $(PYTHON) scripts/environment.py test -- python benchmarks/estimators.py
bench-resampling: ; $(PYTHON) scripts/environment.py test -- python benchmarks/resampling.py
coverage:   ; $(PYTHON) scripts/environment.py test -- python scripts/coverage.py
familywise: ; $(PYTHON) scripts/environment.py test -- python scripts/familywise.py
rpage:      ; $(PYTHON) scripts/environment.py test -- python scripts/r_page.py
clean:      ; $(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('.venv', 'reports/demo')]"
