#include <getopt.h>

/* getopt's state is in global variables, which Swift 6 does not let a program touch: these touch
   it. They must be called from one thread. */

static inline void getopt_restart(void) {
  optind = 0; /* glibc: forget the last command line altogether */
  opterr = 0; /* messages are ours */
}

static inline int getopt_next_index(void) { return optind; }
static inline int getopt_offender(void) { return optopt; }
static inline const char *getopt_value(void) { return optarg; }
