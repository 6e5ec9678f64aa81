.DEFAULT_GOAL := help
python := $(or $(FLASHSIGHT_VENV),.venv)/bin/python
export PYTHONPATH := src

.PHONY: help setup start stop test check format docs screenshots page-figures examples
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make the environment
	./start.sh --setup

start: ## start in the background
	./start.sh

stop: ## stop the background service
	./start.sh stop

test: ## every check, as on a new machine
	./test.sh

check: ## style, types and layers only
	$(python) -m ruff check . && $(python) -m ruff format --check . && $(python) -m mypy && $(dir $(python))lint-imports

format: ## put every file into shape
	$(python) -m ruff format . && $(python) -m ruff check --fix .

docs: ## write the generated pages
	$(python) scripts/tree.py
	$(python) -m flashsight reference cli > .docs.new && mv .docs.new docs/cli.md
	$(python) -m flashsight reference settings > .docs.new && mv .docs.new docs/settings.md

screenshots: ## take the pictures of the page again
	$(python) scripts/screenshots.py

page-figures: ## measure the page in Chromium: first paint, bytes, layout shift, frames
	PYTHONPATH=src:. $(python) scripts/page_figures.py

examples: ## ask the built-in checkpoint about the example pictures again
	$(python) scripts/answer_examples.py
