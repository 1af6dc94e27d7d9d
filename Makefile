.PHONY: help export test run readme prepare
help:     ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'
export:   ## write rt_embedding/ from the notebooks
	nbdev_export
test:     ## all tests: notebooks, then tests/
	nbdev_test --n_workers 2 && pytest -q
run:      ## run every notebook from top to bottom and store its outputs
	python tools/run_notebooks.py
readme:   ## README.md from nbs/index.ipynb
	python tools/make_readme.py
prepare:  ## before a commit
	nbdev_export && nbdev_clean && python tools/make_readme.py && python tools/check_notebooks.py
