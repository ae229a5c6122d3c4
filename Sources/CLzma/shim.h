#include <lzma.h>

/* A decoder flag, which is a macro with a cast and so invisible to Swift. */
static const uint32_t lzma_flag_tell_unsupported_check = LZMA_TELL_UNSUPPORTED_CHECK;
