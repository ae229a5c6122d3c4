// Pages of relations, made fast: a pool of them is drawn at random once, and every page that is
// given out is one of the pool with its LSN, block number and keys set.
#pragma once

#include <stdint.h>

enum { page_size = 8192 };

/// The LSN that all pages' LSNs lie below: the shutdown checkpoint's. It is the first place in a
/// WAL segment of 16 MiB where a record can start.
static const uint64_t checkpoint_lsn = UINT64_C(0x100001000028);

enum page_kind {
  /// Heap pages of `pgbench_accounts`: 61 rows of an id, a branch, a balance and 84 spaces.
  accounts_pages,
  /// Leaves of its primary key: 366 ids in order and where their rows are.
  btree_pages,
  /// Rows of an id and a text of words, the frequent ones more often.
  text_pages,
  /// One row of random bytes: nothing that zstd could make smaller.
  random_pages,
  /// Pages that a relation was extended by and that were never used.
  zero_pages,
  /// In each 16: 8 of accounts, 3 btree, 3 of text, 1 random, 1 zero.
  mixed_pages,
  page_kind_count
};

extern const char *const page_kind_names[page_kind_count];

/// Draws the pool. The same seed gives the same pages.
void make_page_pool(enum page_kind kind, uint64_t seed);

/// Writes the page with that number in the cluster, which has that block number in its segment's
/// relation, to `target`. The number must be below 2^36.
void make_page(unsigned char *target, uint64_t number, uint32_t block);

/// The next of a seed's random numbers (splitmix64, by Sebastiano Vigna, in the public domain).
uint64_t next_random(uint64_t *state);
