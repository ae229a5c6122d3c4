// The commit that the program was built from, as Package.swift was told it: "unknown" if nobody did.
const char *build_commit(void);
