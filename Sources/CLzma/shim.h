#include <lzma.h>

/* The decoder flags, which are macros with casts and so invisible to Swift. */
static const uint32_t lzma_flag_concatenated = LZMA_CONCATENATED;
static const uint32_t lzma_flag_tell_unsupported_check = LZMA_TELL_UNSUPPORTED_CHECK;
