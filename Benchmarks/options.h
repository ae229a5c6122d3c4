// Used by both programs: how they fail, and how they read numbers.
#pragma once

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Ends the program: a message, and the system's text if `errno` is set.
__attribute__((noreturn)) static inline void fail(const char *message) {
  fprintf(stderr, errno != 0 ? "error: %s: %s\n" : "error: %s\n", message, strerror(errno));
  exit(1);
}

/// A number in decimal digits, optionally with K, M or G (powers of 1024), from `least` to `most`.
static inline uint64_t number(const char *text, uint64_t least, uint64_t most) {
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  static const char units[] = "KMG";
  const char *unit = *end != 0 ? strchr(units, *end) : NULL;
  int shift = unit != NULL ? 10 * (int)(unit - units + 1) : 0;
  const char *rest = unit != NULL ? end + 1 : end;
  if (errno != 0 || !isdigit((unsigned char)text[0]) || *rest != 0 || value > UINT64_MAX >> shift
      || value << shift < least || value << shift > most) {
    errno = 0;
    fail("an option needs a number within its limits, optionally with K, M or G");
  }
  return (uint64_t)value << shift;
}
