# Override on the command line: make site PORT=8001 VENV=/tmp/venv
# PYTHON names the interpreter that .venv is made with.
VENV = .venv
PORT = 8000
PYTHON =
MINUTES = inf
KILLS = 200

SITE = docs/_site
RUN = "$(VENV)/bin/python"
FIND = sh $(SITE)/find_python.sh "$(PYTHON)"
# Touched last, so that an interrupted installation is done again.
INSTALLED = $(VENV)/.installed
NODE = $(SITE)/node_modules/.installed

# The theme announces its successor at every build.
export NO_MKDOCS_2_WARNING = 1

.PHONY: help site test soak notebooks records requirements lighthouse audit clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1: /p' Makefile

site: ## sets up, builds strictly, serves at 127.0.0.1:8000 (PORT=)
	@python=$$($(FIND)) && "$$python" $(SITE)/serve.py --check "$(PORT)"
	@$(MAKE) --no-print-directory $(INSTALLED) $(NODE)
	SITE_URL=http://127.0.0.1:$(PORT)/ $(RUN) -m mkdocs build --strict
	@$(RUN) $(SITE)/serve.py "$(PORT)"

test: $(INSTALLED) $(NODE) ## sets up, checks the style, runs every test
	$(RUN) -m ruff check . && $(RUN) -m ruff format --check .
	$(RUN) -m pytest tests/test_site.py -m alone
	$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder \
	  --durations 40 --durations-min 10 -m "not alone"

# Its own number of minutes, unless the command line has another.
soak: MINUTES = 10
soak: $(INSTALLED) ## kills runs at random, garbles files (KILLS= MINUTES=)
	PYTHONPATH=. $(RUN) tests/soak.py --kills $(KILLS) --minutes $(MINUTES)

notebooks: $(INSTALLED) ## runs the chapters and refreshes their outputs
	$(RUN) $(SITE)/execute.py

records: $(INSTALLED) ## makes the records that are missing (MINUTES=)
	$(RUN) -m labkd record --minutes $(MINUTES)

requirements: $(INSTALLED) ## derives requirements.txt (UPGRADE=1: newest)
	$(RUN) -m uv pip compile pyproject.toml --universal --extra site --extra dev \
	  --python-version 3.12 --quiet $(if $(UPGRADE),--upgrade) \
	  --custom-compile-command "make requirements" -o requirements.txt

lighthouse: $(INSTALLED) $(NODE) ## audits three pages of the site, for minutes
	$(RUN) -m mkdocs build --strict -q -d build/audited
	"$(VENV)/bin/npm" install --prefix build/lighthouse --ignore-scripts \
	  --no-audit --no-fund lighthouse@13.5.0
	$(RUN) $(SITE)/lighthouse.py build/audited build/lighthouse

audit: $(INSTALLED) $(NODE) ## asks for known weaknesses of what is pinned
	@mkdir -p build
	-$(RUN) -m uv tool run pip-audit@2.10.1 -r requirements.txt --no-deps \
	  --disable-pip --progress-spinner off -f json -o build/audit-python.json
	-"$(VENV)/bin/npm" audit --prefix $(SITE) --json > build/audit-npm.json
	$(RUN) $(SITE)/audit.py SECURITY.md build/audit-*.json

clean: ## removes what was built; keeps .venv, data and runs
	rm -rf site build $(SITE)/node_modules .pytest_cache .ruff_cache

# --clear only for what is a virtual environment already, but a broken one.
$(VENV)/.python:
	@python=$$($(FIND)) && clear= && \
	if [ -f "$(VENV)/pyvenv.cfg" ]; then \
	  $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 12))' \
	    2>/dev/null || clear=--clear; fi && \
	set -x && "$$python" -m venv $$clear "$(VENV)"
	@touch $@

# uv fetches and unpacks several packages at once; where it cannot, pip does.
# labkd itself without its dependencies: they are pinned, and need no network.
$(INSTALLED): $(VENV)/.python requirements.txt pyproject.toml
	$(RUN) -m pip install --quiet $$(grep '^uv==' requirements.txt)
	$(RUN) -m uv pip install --compile-bytecode --python $(RUN) \
	  -r requirements.txt || \
	  $(RUN) -m pip install -r requirements.txt
	$(RUN) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# npm's scripts would need Node on the path; none of the packages has any.
$(NODE): $(SITE)/package-lock.json $(INSTALLED)
	"$(VENV)/bin/npm" ci --prefix $(SITE) --ignore-scripts --no-audit --no-fund
	@touch $@
