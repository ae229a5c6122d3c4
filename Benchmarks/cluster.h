// The small files that make a data directory one of Postgres 15.
#pragma once

#include <stdint.h>

enum { first_normal_oid = 16384, relation_map_size = 512 };

/// Writes the 8192 bytes of a `global/pg_control`: shut down, with its checkpoint at
/// `checkpoint_lsn`. `next_oid` lies above all that the cluster uses.
void make_control_file(unsigned char *target, uint64_t seed, uint32_t next_oid);

/// Writes the 512 bytes of a `pg_filenode.map`.
void make_relation_map(unsigned char *target);
