#include "tar.h"

#include <unistd.h>

#include "options.h"

enum { tar_block_size = 512, stage_size = 1 << 20 };

static unsigned char stage[stage_size];
static size_t staged;

static void flush_stage(void) {
  for (size_t written = 0; written < staged;) {
    ssize_t count = write(STDOUT_FILENO, stage + written, staged - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot write to standard output");
    written += (size_t)count;
  }
  staged = 0;
}

unsigned char *room(size_t size) {
  if (stage_size - staged < size) flush_stage();
  unsigned char *start = stage + staged;
  staged += size;
  return start;
}

static void put_octal(char *field, int digits, uint64_t value) {
  while (digits-- > 0) {
    field[digits] = (char)('0' + (value & 7));
    value >>= 3;
  }
}

void start_member(const char *name, uint64_t size) {
  size_t length = strlen(name);
  char *header = (char *)room(tar_block_size);
  int is_directory = name[length - 1] == '/';
  memset(header, 0, tar_block_size);
  memcpy(header, name, length);
  memcpy(header + 100, is_directory ? "0000700" : "0000600", 7);
  memcpy(header + 108, "0001000", 7);
  memcpy(header + 116, "0001000", 7);
  put_octal(header + 124, 11, size);
  put_octal(header + 136, 11, 1700000000);
  memset(header + 148, ' ', 8);
  header[156] = is_directory ? '5' : '0';
  memcpy(header + 257, "ustar\00000postgres", 16);
  memcpy(header + 297, "postgres", 8);
  unsigned sum = 0;
  for (int index = 0; index < tar_block_size; index++) sum += (unsigned char)header[index];
  put_octal(header + 148, 6, sum);
  header[154] = 0;
}

void end_member(uint64_t size) {
  size_t padding = (size_t)(-size % tar_block_size);
  memset(room(padding), 0, padding);
}

void write_member(const char *name, const void *bytes, size_t size) {
  start_member(name, size);
  if (size != 0) memcpy(room(size), bytes, size);
  end_member(size);
}

void end_archive(void) {
  memset(room(2 * tar_block_size), 0, 2 * tar_block_size);
  flush_stage();
}
