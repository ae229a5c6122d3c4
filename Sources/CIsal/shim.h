#include <isa-l.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <isa-l/mem_routines.h>

// ISA-L leaves the upper halves of the vector registers in use. Until they are cleared, Intel's
// processors are slower at code that was not compiled for AVX, as a distribution's zstd is not.
// (Intel 64 and IA-32 Architectures Optimization Reference Manual, "Mixing AVX code with SSE code")
#if defined(__x86_64__)
__attribute__((target("avx"))) static inline void clear_upper_halves(void) {
  __builtin_ia32_vzeroupper();
}

static inline void leave_vector_code(void) {
  if (__builtin_cpu_supports("avx")) clear_upper_halves();
}
#else
static inline void leave_vector_code(void) {}
#endif

// `isal_zero_detect` and `crc32_iscsi`, without the cost that they leave to their caller. Both only
// read the bytes, whatever the types of their parameters say.
static inline _Bool is_all_zeros(const void *bytes, size_t count) {
  _Bool result = isal_zero_detect((void *)bytes, count) == 0;
  leave_vector_code();
  return result;
}

static inline unsigned int crc32_castagnoli(const unsigned char *bytes, int count,
                                            unsigned int remainder) {
  unsigned int result = crc32_iscsi((unsigned char *)bytes, count, remainder);
  leave_vector_code();
  return result;
}

// `isal_read_gzip_header` and `isal_inflate`, without that cost too.
static inline int read_gzip_header(struct inflate_state *state, struct isal_gzip_header *header) {
  int result = isal_read_gzip_header(state, header);
  leave_vector_code();
  return result;
}

static inline int inflate_gzip_data(struct inflate_state *state) {
  int result = isal_inflate(state);
  leave_vector_code();
  return result;
}
