#include "cluster.h"

#include <string.h>

#include "pages.h"

// CRC-32C, bit by bit: it is asked for some hundred bytes only.
static uint32_t crc32c(const unsigned char *bytes, int count) {
  uint32_t crc = UINT32_MAX;
  for (int index = 0; index < count; index++) {
    crc ^= bytes[index];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

static void put32(unsigned char *target, uint32_t value) { memcpy(target, &value, 4); }
static void put64(unsigned char *target, uint64_t value) { memcpy(target, &value, 8); }

// The offsets are those of a 64-bit machine (Postgres 15, src/include/catalog/pg_control.h).
void make_control_file(unsigned char *target, uint64_t seed, uint32_t next_oid) {
  enum { checkpoint = 40, build = 204, nonce = 256, crc = 288 };
  const int64_t time = 1700000000;
  const double float_format = 1234567.0;
  uint64_t random = seed;
  memset(target, 0, page_size);
  put64(target, (uint64_t)time << 32 | (uint32_t)next_random(&random));
  put32(target + 8, 1300);
  put32(target + 12, 202209061);
  put32(target + 16, 1);  // state: shut down
  put64(target + 24, (uint64_t)time);
  put64(target + 32, checkpoint_lsn);

  put64(target + checkpoint, checkpoint_lsn);
  put32(target + checkpoint + 8, 1);   // timeline
  put32(target + checkpoint + 12, 1);  // the timeline before
  target[checkpoint + 16] = 1;         // full-page writes
  put64(target + checkpoint + 24, 1000);
  put32(target + checkpoint + 32, next_oid);
  put32(target + checkpoint + 36, 1);    // next multixact
  put32(target + checkpoint + 44, 716);  // oldest transaction id, and its database
  put32(target + checkpoint + 48, 1);
  put32(target + checkpoint + 52, 1);  // oldest multixact, and its database
  put32(target + checkpoint + 56, 1);
  put64(target + checkpoint + 64, (uint64_t)time);

  put64(target + 128, 1000);  // LSN of unlogged relations
  put32(target + 172, 1);     // wal_level: replica
  static const uint32_t settings[5] = {100, 8, 10, 0, 64};
  memcpy(target + 180, settings, sizeof settings);

  put32(target + build, 8);
  memcpy(target + build + 4, &float_format, 8);
  put32(target + build + 12, page_size);
  put32(target + build + 16, 131072);
  put32(target + build + 20, page_size);
  put32(target + build + 24, 16 << 20);
  put32(target + build + 28, 64);
  put32(target + build + 32, 32);
  put32(target + build + 36, 1996);
  put32(target + build + 40, 2048);
  target[build + 44] = 1;  // 8-byte values are passed by value
  for (int offset = nonce; offset < crc; offset += 8) put64(target + offset, next_random(&random));
  put32(target + crc, crc32c(target, crc));
}

// No catalog has a file: what a map names has to be there (Postgres,
// backend/utils/cache/relmapper.c).
void make_relation_map(unsigned char *target) {
  enum { crc = 504 };
  memset(target, 0, relation_map_size);
  put32(target, 0x592717);
  put32(target + crc, crc32c(target, crc));
}
