#include "pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// A page: header of 24 bytes, line pointers of 4 from there, tuples from the end down, on the
// pages of an index with a special area after them (Postgres, src/include/storage/bufpage.h).
enum {
  page_header_size = 24,
  line_pointer_size = 4,
  tuple_header_size = 24,
  account_tuple_size = 128,
  account_tuple_used = 121,
  accounts_in_page = 61,
  index_tuple_size = 16,
  index_tuples_in_page = 366,
  index_special_size = 16,
  pool_page_count = 256,
  word_count = 4096,
};

const char *const page_kind_names[page_kind_count] = {"accounts", "btree", "text",
                                                      "random",   "zero",  "mixed"};

static unsigned char pool[pool_page_count][page_size];
static enum page_kind pool_kinds[pool_page_count];

uint64_t next_random(uint64_t *state) {
  uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
  mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
  return mixed ^ mixed >> 31;
}

// All of Postgres' numbers are little-endian, as are the machines that this is for.
static void put16(unsigned char *target, uint16_t value) { memcpy(target, &value, 2); }
static void put32(unsigned char *target, uint32_t value) { memcpy(target, &value, 4); }

static uint16_t get16(const unsigned char *source) {
  uint16_t value;
  memcpy(&value, source, 2);
  return value;
}

// A block number within a tuple's address: the high half first.
static void put_block(unsigned char *target, uint32_t block) {
  put16(target, (uint16_t)(block >> 16));
  put16(target + 2, (uint16_t)block);
}

static void start_page(unsigned char *page, uint16_t special_size) {
  memset(page, 0, page_size);
  put16(page + 12, page_header_size);
  put16(page + 14, page_size - special_size);
  put16(page + 16, page_size - special_size);
  put16(page + 18, page_size | 4);
}

// Takes room for a tuple of `used` bytes; NULL where the page has no more.
static unsigned char *add_tuple(unsigned char *page, uint16_t used) {
  uint16_t lower = get16(page + 12);
  uint16_t upper = get16(page + 14);
  uint16_t aligned = (uint16_t)((used + 7) & ~7);
  if (upper - lower < line_pointer_size + aligned) return NULL;
  upper = (uint16_t)(upper - aligned);
  put32(page + lower, (uint32_t)upper | 1u << 15 | (uint32_t)used << 17);
  put16(page + 12, (uint16_t)(lower + line_pointer_size));
  put16(page + 14, upper);
  return page + upper;
}

// A tuple of a heap: inserted by a transaction that is known to have committed.
static unsigned char *add_row(unsigned char *page, uint16_t used, uint16_t columns) {
  unsigned char *tuple = add_tuple(page, used);
  if (tuple == NULL) return NULL;
  put32(tuple, 741);
  put16(tuple + 16, (uint16_t)((get16(page + 12) - page_header_size) / line_pointer_size));
  put16(tuple + 18, columns);
  put16(tuple + 20, 0x0902);
  tuple[22] = tuple_header_size;
  return tuple;
}

// As after a while of pgbench: one balance in four is not 0.
static void make_accounts(unsigned char *page, uint64_t *random) {
  start_page(page, 0);
  for (int row = 0; row < accounts_in_page; row++) {
    unsigned char *tuple = add_row(page, account_tuple_used, 4);
    uint64_t draw = next_random(random);
    put32(tuple + 28, 1);
    put32(tuple + 32, draw % 4 == 0 ? (uint32_t)(draw >> 32) % 10000 - 5000 : 0);
    tuple[36] = (84 + 1) << 1 | 1;
    memset(tuple + 37, ' ', 84);
  }
}

static void make_btree(unsigned char *page) {
  start_page(page, index_special_size);
  for (int entry = 0; entry < index_tuples_in_page; entry++) {
    put16(add_tuple(page, index_tuple_size) + 6, index_tuple_size);
  }
  put16(page + page_size - 4, 1);
}

static void make_text(unsigned char *page, uint64_t *random, char (*words)[12]) {
  start_page(page, 0);
  for (uint32_t row = 0;; row++) {
    char text[512];
    size_t wanted = 40 + next_random(random) % 400;
    size_t length = 0;
    while (length < wanted) {
      // The product of two even draws: small numbers come up much more often.
      uint64_t draw = next_random(random);
      const char *word = words[(draw & 0xFFF) * (draw >> 12 & 0xFFF) / word_count];
      size_t word_length = strlen(word);
      memcpy(text + length, word, word_length);
      length += word_length;
      text[length++] = ' ';
    }
    unsigned char *tuple = add_row(page, (uint16_t)(tuple_header_size + 8 + length), 2);
    if (tuple == NULL) return;
    put32(tuple + 24, row);
    put32(tuple + 28, (uint32_t)(length + 4) << 2);
    memcpy(tuple + 32, text, length);
  }
}

static void make_random(unsigned char *page, uint64_t *random) {
  start_page(page, 0);
  enum { used = 8160 };
  unsigned char *tuple = add_row(page, used, 1);
  put32(tuple + 24, (used - tuple_header_size) << 2);
  for (int offset = 28; offset + 4 <= used; offset += 4) {
    put32(tuple + offset, (uint32_t)next_random(random));
  }
}

static void make_words(char (*words)[12], uint64_t *random) {
  static const char letters[] = "etaoinshrdlucmfwypvbgkqjxz";
  for (int word = 0; word < word_count; word++) {
    int length = 2 + (int)(next_random(random) % 9);
    for (int letter = 0; letter < length; letter++) {
      uint64_t draw = next_random(random);
      words[word][letter] = letters[(draw & 0xFF) % 26 * (draw >> 8 & 0xFF) / 256];
    }
    words[word][length] = 0;
  }
}

void make_page_pool(enum page_kind kind, uint64_t seed) {
  static char words[word_count][12];
  static const enum page_kind mixture[16] = {
    accounts_pages, accounts_pages, accounts_pages, accounts_pages, btree_pages,  text_pages,
    text_pages,     btree_pages,    accounts_pages, accounts_pages, btree_pages,  accounts_pages,
    accounts_pages, text_pages,     random_pages,   zero_pages,
  };
  uint64_t random = seed;
  make_words(words, &random);
  for (int index = 0; index < pool_page_count; index++) {
    unsigned char *page = pool[index];
    pool_kinds[index] = kind == mixed_pages ? mixture[index % 16] : kind;
    switch (pool_kinds[index]) {
    case accounts_pages: make_accounts(page, &random); break;
    case btree_pages: make_btree(page); break;
    case text_pages: make_text(page, &random, words); break;
    case random_pages: make_random(page, &random); break;
    default: break;
    }
  }
}

// The rows of a block get the ids that follow those of the block before.
static void set_accounts(unsigned char *page, uint32_t block) {
  uint32_t account = block * accounts_in_page + 1;
  for (int row = 0; row < accounts_in_page; row++) {
    unsigned char *tuple = page + page_size - (row + 1) * account_tuple_size;
    put_block(tuple + 12, block);
    put32(tuple + tuple_header_size, account++);
  }
}

static void set_btree(unsigned char *page, uint32_t block) {
  uint32_t account = block * index_tuples_in_page + 1;
  uint32_t heap_block = (account - 1) / accounts_in_page;
  uint16_t position = (uint16_t)((account - 1) % accounts_in_page + 1);
  unsigned char *tuple = page + page_size - index_special_size;
  for (int entry = 0; entry < index_tuples_in_page; entry++) {
    tuple -= index_tuple_size;
    put_block(tuple, heap_block);
    put16(tuple + 4, position);
    put32(tuple + 8, account++);
    if (position++ == accounts_in_page) {
      position = 1;
      heap_block++;
    }
  }
  put32(page + page_size - 16, block == 0 ? 0 : block - 1);
  put32(page + page_size - 12, block + 1);
}

void make_page(unsigned char *target, uint64_t number, uint32_t block) {
  unsigned index = number % pool_page_count;
  memcpy(target, pool[index], page_size);
  switch (pool_kinds[index]) {
  case zero_pages: return;
  case accounts_pages: set_accounts(target, block); break;
  case btree_pages: set_btree(target, block); break;
  default: break;
  }
  uint64_t lsn = UINT64_C(0x2000000) + number * 184;
  put32(target, (uint32_t)(lsn >> 32));
  put32(target + 4, (uint32_t)lsn);
}
