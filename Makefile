# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything is done by tests/tools/gate.py, with the machine's own python3. It works in
# ${XDG_CACHE_HOME:-~/.cache}/openeuler-livepatch and leaves the checkout as it is.

ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
PYTHON ?= python3
# The longest come first: as many run at a time as there are cores.
SCENARIOS ?= default stop_machine
# What "make full" adds to these, one after the other: build and arm64 make kernels, rollout has six VMs.
LONGER := faults hard build boot rollout selftests arm64 userlands
CORES ?=
TESTS ?=
FOLDERS ?=
MINUTES ?=
SEED ?=
SIZES ?=
KERNEL_TREES ?=
KEEP ?=
ROUNDS ?=
export SCENARIOS CORES TESTS FOLDERS MINUTES SEED SIZES KERNEL_TREES KEEP ROUNDS

OLD_PYTHON = "make: $(PYTHON) is missing or older than 3.10: install Python 3.10 or later, or name one: make PYTHON=python3.12"
GATE = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { echo $(OLD_PYTHON) >&2; exit 1; }; \
	cd '$(ROOT)' && exec $(PYTHON) -B tests/tools/gate.py

.SILENT:
.PHONY: help demo demo-kpatch test full lint unit coverage plays sanity docs-lint docs collection galaxy browser monitoring eda vex molecule fuzz sources stand-in bench bench-fleet bench-kpatch bench-growth bench-klp-build bench-overhead bench-report matrix oldest ee-image ee mutants errors-page pictures shell clean distclean

help: ## list the targets (this is the default)
	sed -n 's/^\([a-z-]*\):.*## /\1|/p' '$(ROOT)Makefile' | while IFS='|' read -r name text; do printf '%-11s %s\n' "$$name" "$$text"; done

demo: ## live-patch a real kernel in a VM, step by step
	$(GATE) demo

demo-kpatch: ## the same with kpatch-build and a kernel built for it (the first run takes 20 minutes)
	$(GATE) demo-kpatch

test: ## the fourteen targets from lint to molecule; this is what CI runs
	$(GATE) lint coverage plays oldest sanity docs-lint docs collection galaxy browser monitoring eda vex molecule

full: test ## everything of "make test", and then what takes longer (some hours)
	$(GATE) fuzz sources matrix ee-image ee mutants demo demo-kpatch stand-in
	for name in $(LONGER); do (export SCENARIOS=$$name; $(GATE) molecule) || exit; done

lint: ## ruff, mypy, yamllint, ansible-lint, changelog and licence checks
	$(GATE) lint

unit: ## unit tests; TESTS="FILE FILE::TEST" runs these alone
	$(GATE) unit

coverage: ## the unit tests, and what they reach of lines and branches, which takes twice as long
	$(GATE) coverage

plays: ## tests of roles, playbooks and examples that run Ansible itself, without VMs
	$(GATE) plays

oldest: ## "plays" and the unit tests of the controller's code, on the oldest ansible-core for this Python
	$(GATE) oldest

sanity: ## ansible-test sanity, without exceptions
	$(GATE) sanity

docs-lint: ## check the plugins' documentation
	$(GATE) docs-lint

docs: ## build the documentation as HTML, and say where it is
	$(GATE) docs

collection: ## build the collection's artifact and install it (not into your home)
	$(GATE) collection

galaxy: ## galaxy-importer and ansible-builder on the artifact
	$(GATE) galaxy

browser: ## the report's page and the documentation in a headless Chromium (Debian's, installed if it is missing)
	$(GATE) browser

monitoring: ## the alerts and the dashboard, with promtool (Debian's, downloaded if it is missing)
	$(GATE) monitoring

vex: ## the report as OpenVEX and CSAF, with libraries that hold their schemas
	$(GATE) vex

eda: ## the rulebook for Event-Driven Ansible, with ansible-rulebook (needs Java: Debian's, installed if it is missing)
	$(GATE) eda

molecule: ## tests on VMs with real kernels; SCENARIOS="a b" names scenarios (openeuler needs an image)
	$(GATE) molecule

fuzz: ## the property tests of "make unit", longer (about 12 minutes); MINUTES=60 walks at random, SEED=1 one walk again
	$(GATE) fuzz

sources: ## compile the tests' kernel modules for Linux 5.10, 6.12 and 7.3; KERNEL_TREES="DIR DIR" adds build trees
	$(GATE) sources

stand-in: ## the scenario openeuler, with a stand-in for an openEuler image (slow without KVM)
	$(GATE) stand-in

bench: ## measure the collection beside a ping and a hand-written playbook; KEEP=1 keeps the figures, ROUNDS=1 is short
	$(GATE) bench

bench-kpatch: ## measure livepatch_build beside bare kpatch-build (about 20 minutes)
	$(GATE) bench-kpatch

bench-klp-build: ## the same beside the kernel's own klp-build (about 40 minutes)
	$(GATE) bench-klp-build

bench-overhead: ## measure what a patched function costs by jump and by ftrace, and what a change costs (about 10 minutes)
	$(GATE) bench-overhead

bench-growth: ## measure what grows with a host's patches, symbols and log, at 10 to 10 000 of them
	$(GATE) bench-growth

bench-report: ## measure the report of up to 10 000 hosts and 1 000 fixes, beside 60 seconds and 1 GiB
	$(GATE) bench-report

bench-fleet: ## measure what facts, report and rollout of fleets cost the controller, beside pings; SIZES="10 5000" names sizes
	$(GATE) bench-fleet

matrix: ## sanity and unit tests on other versions; CORES="2.16 2.21" names the ansible-cores
	$(GATE) matrix

ee-image: ## build the execution environment's image and run a job in it (as root; buildah: Debian's, installed if it is missing)
	$(GATE) ee-image

ee: ## unit tests, galaxy-importer and the scenario default in the package set of the execution environment
	$(GATE) ee

mutants: ## change what decides about a host, and see that unit tests notice (hours); FOLDERS="_plan" names folders
	$(GATE) mutants

errors-page: ## write the page about the kernel's errors and the list of checks from their tables
	$(GATE) errors-page

pictures: ## take the pictures of the guides anew, with a headless Chromium
	$(GATE) pictures

shell: ## log in to a VM
	$(GATE) shell

clean: ## remove what the tests of this checkout made
	$(GATE) clean

distclean: ## remove the whole cache: tools, VM images, kernels
	$(GATE) distclean
