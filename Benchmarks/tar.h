// A tar on standard output.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Starts a member; its bytes follow, then `end_member`. A name that ends in '/' is a directory.
void start_member(const char *name, uint64_t size);

/// Room for `size` more bytes of the archive, at most 8192, which the caller fills.
unsigned char *room(size_t size);

/// Pads the member that has had `size` bytes.
void end_member(uint64_t size);

/// A whole member.
void write_member(const char *name, const void *bytes, size_t size);

/// Ends the archive with its two zero blocks, and writes out what is left.
void end_archive(void);
