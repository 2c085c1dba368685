# Two commands: `make demo` and `make test`. Each sets up all it needs on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CORES ?= $(shell nproc 2>/dev/null || echo 2)

# What `make desk` and `make desk-export` hand on, e.g. DESK="--port 9000 --ranked next.gpkg".
DESK ?=

.PHONY: help demo test desk desk-export naip-fields compare-models naip-two-dates crops lint format schema clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python >= 3.11 is needed; $(PYTHON) is $$($(PYTHON) --version). Use make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV) (once; PyTorch is large)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

demo: $(STAMP) ## map the built-in, generated province from tiles to county files
	@$(BIN)/python -m croplayer.demo --cores $(CORES)

test: $(STAMP) ## all tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(CORES) --dist loadgroup

desk: $(STAMP) ## review desk, a local web page to interpret blocks: make desk PROVINCE=demo
	@test -n "$(PROVINCE)" || { echo "Which province? make desk PROVINCE=demo"; exit 1; }
	@$(BIN)/python -m croplayer.desk $(PROVINCE) $(DESK)

desk-export: $(STAMP) ## add the desk's answers to the label tables: make desk-export PROVINCE=demo
	@test -n "$(PROVINCE)" || { echo "Which province? make desk-export PROVINCE=demo"; exit 1; }
	@$(BIN)/python -m croplayer.desk $(PROVINCE) --export $(DESK)

# Real imagery, read in place from DATA_ROOT (see docs/real_runs.md).
DATA_ROOT ?= $(or $(CROPLAYER_DATA_ROOT),../shared/data)
FIELDS := results/naip_fields/prepared/report.csv
DATES := results/naip_two_dates/prepared/counties.gpkg
ONE_MACHINE := --cores $(CORES) --workflow-profile workflow/profiles/local

$(FIELDS): | $(STAMP)
	$(BIN)/python -m croplayer.imports.naip_fields --data-root $(DATA_ROOT) --output $(@D)

$(DATES): | $(STAMP)
	$(BIN)/python -m croplayer.imports.rasters $(DATA_ROOT)/naip_two_dates/*.tif \
	  --name naip_two_dates --output $(@D)

naip-fields: $(FIELDS) ## train and validate the segmentation on real aerial images
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake segmentation --config provinces=naip_fields $(ONE_MACHINE)

compare-models: $(FIELDS) ## the segmentation architectures side by side on real aerial images
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake model_comparison --config provinces=naip_fields $(ONE_MACHINE)

naip-two-dates: $(FIELDS) $(DATES) ## map a real place from imagery of two dates
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m croplayer.demo.server $(DATA_ROOT)/naip_two_dates \
	  --port 0 -- $(BIN)/snakemake --config provinces=naip_two_dates $(ONE_MACHINE)

crops: $(STAMP) ## crop maps of a case: make crops CASE=australia (malawi, china, ...)
	@test -n "$(CASE)" || { echo "Which case? make crops CASE=malawi; there are: $(filter-out default,$(basename $(notdir $(wildcard config/allocation/*.yaml))))"; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" CROPLAYER_DATA_ROOT=$(DATA_ROOT) $(BIN)/snakemake --config cases=$(CASE) $(ONE_MACHINE)

lint: $(STAMP) ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --lint

format: $(STAMP) ## format all code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

schema: $(STAMP) ## write the schemas in config/ anew from the configuration models
	$(BIN)/python -m croplayer.settings.schema
	$(BIN)/python -m cropalloc.settings.schema

clean: ## remove what the demo made (the installation stays)
	rm -rf results/demo results/demo_allocation logs/demo logs/demo_allocation
