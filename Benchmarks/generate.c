// Writes the tar of a Postgres 15 cluster that was shut down cleanly to standard output: of any
// size, never stored, the same bytes for the same options.
//
// The names are as `tar -C DATA -cf - .` gives them; `pg_control` comes last. No server would start
// from it, for it has no catalogs, but all that an import looks at is as in a real one.
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "cluster.h"
#include "options.h"
#include "pages.h"
#include "tar.h"

enum { segment_page_count = 131072 };

struct plan {
  uint64_t page_count;
  uint64_t relation_page_count;
  uint64_t database_count;
  uint64_t relation_count;
  enum page_kind kind;
  uint64_t seed;
};

static const char usage[] =
  "usage: generate [OPTION]... > BACKUP.tar\n"
  "  --size SIZE            size of all relations together, in whole pages (default: 1G)\n"
  "  --relation-size SIZE   size of each relation; the last may be smaller (default: 1G)\n"
  "  --pages KIND           accounts, btree, text, random, zero or mixed (default: accounts)\n"
  "  --databases N          number of databases that share the relations (default: 1)\n"
  "  --seed N               seed of all random contents (default: 1)\n";

static enum page_kind page_kind_named(const char *name) {
  for (int kind = 0; kind < page_kind_count; kind++) {
    if (strcmp(name, page_kind_names[kind]) == 0) return (enum page_kind)kind;
  }
  fail("unknown kind of pages");
}

static struct plan plan_from_options(int count, char **arguments) {
  static const struct option options[] = {
    {"size", required_argument, NULL, 's'},  {"relation-size", required_argument, NULL, 'r'},
    {"pages", required_argument, NULL, 'p'}, {"databases", required_argument, NULL, 'd'},
    {"seed", required_argument, NULL, 'e'},  {NULL, 0, NULL, 0},
  };
  struct plan plan = {
    .page_count = (1 << 30) / page_size,
    .relation_page_count = (1 << 30) / page_size,
    .database_count = 1,
    .seed = 1,
  };
  for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
    switch (option) {
    case 's': plan.page_count = number(optarg, page_size, UINT64_C(1) << 48) / page_size; break;
    case 'r':
      plan.relation_page_count = number(optarg, page_size, UINT64_C(1) << 44) / page_size;
      break;
    case 'p': plan.kind = page_kind_named(optarg); break;
    case 'd': plan.database_count = number(optarg, 1, 1 << 20); break;
    case 'e': plan.seed = number(optarg, 0, UINT64_MAX); break;
    default: fputs(usage, stderr); exit(64);
    }
  }
  if (optind != count) {
    fputs(usage, stderr);
    exit(64);
  }
  plan.relation_count =
    (plan.page_count + plan.relation_page_count - 1) / plan.relation_page_count;
  errno = 0;
  if (plan.relation_count > INT32_MAX) fail("there are more relations than numbers for them");
  return plan;
}

// Writes a relation's segments, and gives back the number of the page after its last.
static uint64_t write_relation(const struct plan *plan, const char *name, uint64_t page) {
  uint64_t left = plan->page_count - page;
  uint64_t count = left < plan->relation_page_count ? left : plan->relation_page_count;
  for (uint64_t block = 0; block < count;) {
    char segment_name[80];
    uint64_t segment = block / segment_page_count;
    uint64_t end = count < block + segment_page_count ? count : block + segment_page_count;
    uint64_t size = (end - block) * page_size;
    snprintf(segment_name, sizeof segment_name, segment == 0 ? "%s" : "%s.%llu", name,
             (unsigned long long)segment);
    start_member(segment_name, size);
    for (; block < end; block++) make_page(room(page_size), page++, (uint32_t)block);
    end_member(size);
  }
  return page;
}

static void write_databases(const struct plan *plan) {
  unsigned char relation_map[relation_map_size];
  make_relation_map(relation_map);
  uint64_t page = 0;
  uint64_t relation = 0;
  for (uint64_t database = 0; database < plan->database_count; database++) {
    char name[64];
    int length = snprintf(name, sizeof name, "./base/%u/", (unsigned)(first_normal_oid + database));
    write_member(name, NULL, 0);
    strcpy(name + length, "PG_VERSION");
    write_member(name, "15\n", 3);
    strcpy(name + length, "pg_filenode.map");
    write_member(name, relation_map, relation_map_size);
    uint64_t end = (database + 1) * plan->relation_count / plan->database_count;
    for (unsigned node = first_normal_oid; relation < end; relation++, node++) {
      snprintf(name + length, sizeof name - (size_t)length, "%u", node);
      page = write_relation(plan, name, page);
    }
  }
}

static void write_transaction_logs(void) {
  static const unsigned char no_multixacts[page_size];
  unsigned char all_committed[page_size];
  memset(all_committed, 0x55, sizeof all_committed);
  write_member("./pg_xact/", NULL, 0);
  write_member("./pg_xact/0000", all_committed, page_size);
  write_member("./pg_multixact/", NULL, 0);
  write_member("./pg_multixact/members/", NULL, 0);
  write_member("./pg_multixact/members/0000", no_multixacts, page_size);
  write_member("./pg_multixact/offsets/", NULL, 0);
  write_member("./pg_multixact/offsets/0000", no_multixacts, page_size);
}

int main(int count, char **arguments) {
  struct plan plan = plan_from_options(count, arguments);
  make_page_pool(plan.kind, plan.seed);
  (void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1 << 20);  // what is no pipe needs none

  unsigned char relation_map[relation_map_size];
  unsigned char control_file[page_size];
  uint64_t objects = plan.relation_count > plan.database_count ? plan.relation_count
                                                               : plan.database_count;
  make_relation_map(relation_map);
  make_control_file(control_file, plan.seed, (uint32_t)(first_normal_oid + objects));

  write_member("./", NULL, 0);
  write_member("./PG_VERSION", "15\n", 3);
  write_transaction_logs();
  write_member("./pg_twophase/", NULL, 0);
  write_member("./base/", NULL, 0);
  write_databases(&plan);
  write_member("./global/", NULL, 0);
  write_member("./global/pg_filenode.map", relation_map, relation_map_size);
  write_member("./global/pg_control", control_file, page_size);
  end_archive();
  return 0;
}
