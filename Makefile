.PHONY: help export test run readme check prepare site
help:     ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'
export:   ## write rt_embedding/ from the notebooks
	nbdev_export
test:     ## all tests: notebooks, then tests/
	nbdev_test --n_workers 2 && pytest -n 2 --dist loadfile
run:      ## run every notebook from top to bottom and store its outputs
	python tools/run_notebooks.py
readme:   ## README.md and the picture in it, from nbs/index.ipynb
	python tools/make_readme.py
check:    ## lint; what the notebooks lack: outputs, links, alternative texts, answers
	ruff check
	python tools/check_notebooks.py
prepare:  ## before a commit: export, clean, README, check
	nbdev_export && nbdev_clean && python tools/make_readme.py && python tools/check_notebooks.py
site:     ## a draft of the site in _proc/html, without Quarto
	python tools/make_site.py
