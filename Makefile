# import-backup: build, test, measure, install. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

PREFIX ?= /usr/local
DESTDIR ?=

SOURCES := Package.swift Sources Tests Fuzz
# The Swift runtime is linked into the program, so that it runs on machines without Swift.
# All symbols are bound when it starts, so that the table of addresses can be read-only from then on.
RELEASE := -c release --static-swift-stdlib --product import-backup -Xlinker -z -Xlinker now
PROGRAM := .build/release/import-backup
# What `--version` names. Evaluated only if it is used. A repository above this directory, in which
# the sources were unpacked, is not ours.
COMMIT = $(shell GIT_CEILING_DIRECTORIES=$(abspath ..) \
  git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || echo unknown)

# What `install` writes and `uninstall` removes.
INSTALLED_PROGRAM := $(DESTDIR)$(PREFIX)/bin/import-backup
INSTALLED_MANUAL := $(DESTDIR)$(PREFIX)/share/man/man1/import-backup.1
INSTALLED_COMPLETIONS := $(DESTDIR)$(PREFIX)/share/bash-completion/completions/import-backup
INSTALLED_ZSH_COMPLETIONS := $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_import-backup

DEMO_BACKUP := Tests/Fixtures/clean-15.tar.zst
DEMO_OUTPUT := .build/demo

# How many tests run at once. All of them at once take 6 GB of memory and slow each other down.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH := 4

.PHONY: help build build-deps deps demo test test-address test-thread postgres stores fuzz errors soak soak-recovery lint format check \
  bench bench-quick install uninstall deb check-deb check-containerfile clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' Makefile

build: build-deps ## build the program, optimised (the default)
	IMPORT_BACKUP_COMMIT=$(COMMIT) swift build $(RELEASE)
	@chrpath --delete $(PROGRAM)  # SwiftPM's: libraries beside the program would be loaded

build-deps: ## install missing Debian packages, for building
	@Scripts/install-dependencies --build

deps: ## install missing Debian packages, for building and testing
	@Scripts/install-dependencies

demo: build ## import the backup of a real Postgres 15 that comes with the project
	@rm -rf $(DEMO_OUTPUT)
	$(PROGRAM) $(DEMO_BACKUP) --output $(DEMO_OUTPUT)

test: stores ## build and run all tests
	swift build --build-tests
	@TMPDIR="$$(Scripts/test-directory)" swift test --skip-build --disable-xctest 2>&1 | tee .build/test.log || \
	  { echo 'The tests that failed:'; grep --text '✘' .build/test.log | tail -n 50; exit 1; }

postgres: ## fetch Postgres 16 from PyPI, for tests that are skipped without it
	@Scripts/fetch-postgres

stores: deps ## fetch servers of object storage from PyPI, for tests that are skipped without them
	@Scripts/fetch-stores

lint: ## check the code's format, and which room of Sources/Operations names which
	swift format lint --strict --recursive $(SOURCES)
	Scripts/check-rooms

format: ## format the code
	swift format --in-place --recursive $(SOURCES)

errors: ## write Docs/errors.md from the program's tables
	swift build --product import-backup
	.build/debug/import-backup help --errors > Docs/errors.md

soak: stores ## run the reliability tests with more of everything: 1,000 kills, a million members
	swift build --build-tests
	IMPORT_BACKUP_SOAK=1 swift test --skip-build --disable-xctest --filter ReliabilityTests

# How long, in seconds.
SOAK_SECONDS ?= 3600

soak-recovery: build postgres ## recover random backups under load both ways and compare: SOAK_SECONDS=3600
	-Scripts/fetch-postgres 17  # without it, only the others are tried
	Scripts/soak-recovery --program $(CURDIR)/$(PROGRAM) --seconds $(SOAK_SECONDS) $(SOAK_OPTIONS)

test-address: stores ## run the tests under the address sanitizer
	swift build --build-tests --sanitize=address --scratch-path .build/address
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leak.supp:print_suppressions=0 \
	  IMPORT_BACKUP_SANITIZER=address swift test --skip-build --disable-xctest --sanitize=address \
	  --scratch-path .build/address

# Tells the thread sanitizer of waits inside Swift's runtime, which it does not see.
RUNTIME := $(CURDIR)/.build/thread/runtime.o

test-thread: stores ## run the tests under the thread sanitizer
	@mkdir -p .build/thread
	clang -O1 -Wall -Wextra -Werror -fPIC -c Tests/Sanitizers/runtime.c -o $(RUNTIME)
	swift build --build-tests --sanitize=thread --scratch-path .build/thread -Xlinker $(RUNTIME)
	TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/thread.supp \
	  IMPORT_BACKUP_SANITIZER=thread swift test --skip-build --disable-xctest --sanitize=thread \
	  --scratch-path .build/thread -Xlinker $(RUNTIME)

fuzz: deps ## fuzz every reader of outside bytes, FUZZ_SECONDS=60 each; fuzz-NAME runs one
	$(MAKE) -C Fuzz

fuzz-%: deps
	$(MAKE) -C Fuzz $@

check: lint test test-address test-thread ## run what must pass before a change is merged

bench: deps build ## measure speed and memory: half an hour, 24 GB of disk
	$(MAKE) -C Benchmarks
	Benchmarks/bench --program $(CURDIR)/$(PROGRAM) $(BENCH_OPTIONS)

bench-quick: BENCH_OPTIONS += --small 1G --large 0 --huge 0 --relations 100000 --runs 3
bench-quick: bench ## measure the same with less data: a few minutes

# Installs what is built, even if it is out of date: root, who installs, seldom has Swift.
$(PROGRAM):
	$(MAKE) build

install: $(PROGRAM) ## install what was built, man page and completions, without Swift: DESTDIR, PREFIX
	install -D -m 755 $(PROGRAM) $(INSTALLED_PROGRAM)
	@! command -v strip >/dev/null || strip $(INSTALLED_PROGRAM)
	$(PROGRAM) help --man | install -D -m 644 /dev/stdin $(INSTALLED_MANUAL)
	$(PROGRAM) help --completions bash | install -D -m 644 /dev/stdin $(INSTALLED_COMPLETIONS)
	$(PROGRAM) help --completions zsh | install -D -m 644 /dev/stdin $(INSTALLED_ZSH_COMPLETIONS)

uninstall: ## remove the files that install wrote, with the same DESTDIR and PREFIX
	rm -f $(INSTALLED_PROGRAM) $(INSTALLED_MANUAL) $(INSTALLED_COMPLETIONS) \
	  $(INSTALLED_ZSH_COMPLETIONS)

deb: build ## make a Debian package: .build/import-backup_VERSION_ARCH.deb (needs dpkg-dev)
	@rm -f .build/import-backup_*.deb
	Scripts/make-deb $(PROGRAM) .build

check-deb: deb ## try the package on a clean Debian 12, as root (needs debootstrap, lintian)
	Scripts/check-deb .build/import-backup_*.deb $(PROGRAM)

check-containerfile: deb ## run the last steps of the Containerfile there, as root (needs debootstrap)
	Scripts/check-containerfile .build/import-backup_*.deb

clean: ## remove everything that was built
	rm -rf .build Benchmarks/.build
