#include "build.h"

const char *build_commit(void) { return IMPORT_BACKUP_COMMIT; }
