#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The processor's instruction for CRC-32C, where it has one; Swift has no word for it.

   crc32c_is_in_hardware() asks the processor. crc32c_in_hardware() may be called only where that is
   true: it takes `count` bytes into a remainder that is neither complemented before nor after.
   Little-endian machines only, as is all of Postgres that is read here. */

#if defined(__x86_64__)

#include <cpuid.h>

static inline bool crc32c_is_in_hardware(void) {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_2) != 0;
}

__attribute__((target("sse4.2"))) static inline uint32_t
crc32c_in_hardware(uint32_t remainder, const uint8_t *bytes, size_t count) {
  uint64_t wide = remainder;
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  remainder = (uint32_t)wide;
  for (; count > 0; count--, bytes++)
    remainder = __builtin_ia32_crc32qi(remainder, *bytes);
  return remainder;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

static inline bool crc32c_is_in_hardware(void) {
  return (getauxval(AT_HWCAP) & (1UL << 7)) != 0; /* HWCAP_CRC32 of <asm/hwcap.h> */
}

__attribute__((target("crc"))) static inline uint32_t
crc32c_in_hardware(uint32_t remainder, const uint8_t *bytes, size_t count) {
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    remainder = __builtin_arm_crc32cd(remainder, word);
  }
  for (; count > 0; count--, bytes++)
    remainder = __builtin_arm_crc32cb(remainder, *bytes);
  return remainder;
}

#else

static inline bool crc32c_is_in_hardware(void) { return false; }

static inline uint32_t crc32c_in_hardware(uint32_t remainder, const uint8_t *bytes, size_t count) {
  (void)bytes, (void)count;
  return remainder;
}

#endif
