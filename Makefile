# SPDX-License-Identifier: Apache-2.0
# The front door; CMake does the work (CMakeLists.txt, CMakePresets.json). `make help` lists the targets.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
MAKEFLAGS += --no-print-directory

.PHONY: all help setup check demo bench fuzz size instructions powercut clean
.DEFAULT_GOAL := all

all: ## build everything into build/, programs in build/bin/; nothing is installed, no test is run
	@mkdir -p build
	@cmake --preset dev >build/configure.log 2>&1 || { cat build/configure.log; \
	    echo "configuring failed: if a package is missing, 'make setup' installs all of them" >&2; exit 1; }
	@cmake --build build -j $(JOBS)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

setup: ## install what is needed with apt-get (as root or through sudo); quick when all is there
	@tools/setup

check: setup ## set up, build, and run everything a commit must pass: checkers, sanitizers, Cortex-M, every test
	@tools/check -j $(JOBS)

demo: setup all ## set up, build, and run the main job: publish three releases, serve them, update a device
	@tests/demo/demo.sh build

bench: setup all ## size, time and memory beside every rival on PATH; CORPUS=dir for more pairs, RAM=8K ... (README there)
	@benchmarks/bench.py --build build

fuzz: setup ## run each fuzz target freely; SECONDS_EACH=60 TARGET=name
	@tools/fuzz -j $(JOBS) -t $(or $(SECONDS_EACH),60) $(TARGET)

size: setup all ## code, stack, workspace of the device core on Cortex-M and RV32; FUNCTIONS=1 CPU=m0plus CONFIGURATION=one
	@tools/size-report $(if $(FUNCTIONS),--functions --cpu $(or $(CPU),m4) --configuration $(or $(CONFIGURATION),all))

instructions: setup all ## instructions per byte that an update takes on a Cortex-M4; CORPUS=dir FILTER='a*,b*' RAM=8K
	@benchmarks/instructions.py --build build

powercut: setup all ## cut the power at every operation of an update, on flash and on files; hours, goes on where it was; LIMIT=seconds
	@LIMIT=$(LIMIT) tests/powercut.sh build

clean: ## remove build/
	@rm -rf build
