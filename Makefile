# SPDX-License-Identifier: GPL-3.0-or-later
# Front door. The build itself is CMake with the presets dev, release, asan and fuzz.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
QKDN = build/release/qkdn
.NOTPARALLEL:
help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

deps:  ## install with apt what is missing
	@sh cmake/deps.sh

build:  ## build/release/qkdn, needs no apt
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release -j $(JOBS) --target programs

demo: deps build  ## simulate the Tokyo 2010 network, draw it
	@mkdir -p out
	$(QKDN) run scenarios/tokyo-2010.yaml -o out/tokyo-2010.db --force
	$(QKDN) graph out/tokyo-2010.db -o out/tokyo-2010.svg --force
	$(QKDN) graph out/tokyo-2010.db -o out/tokyo-2010.png --force
	@echo "demo: done: out/tokyo-2010.db (results), out/tokyo-2010.svg and .png (the network)"

test: deps  ## build with the dev preset and run every quick test
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev -j $(JOBS)
	@ctest --preset dev -j $(JOBS)

lint:  ## layout, static analysis, tidy tests
	@sh cmake/deps.sh lint && sh cmake/lint.sh

bench: build  ## measure, in a release build
	@cmake --build --preset release -j $(JOBS) --target benches && sh tests/bench/run.sh build/release

install: build  ## to PREFIX (/usr/local)
	@cmake --install build/release --prefix $(PREFIX)

clean:  ## remove build/ and out/
	@rm -rf build out
.PHONY: help deps build demo test lint bench install clean
