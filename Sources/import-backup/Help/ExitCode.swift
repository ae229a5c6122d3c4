import System

/// The meanings of the program's exit codes, for the help and the man page.
enum ExitCode {
  /// In ascending order; a command that can end with another code adds it here.
  static let meanings: [(code: Int32, meaning: String)] =
    [(0, "success")]
    + ([
      (.difference, "verification found a difference"),
      (.inUse, "the timeline is being imported, or already exists"),
      (.usage, "the command line is wrong"),
      (.damaged, "the backup or the timeline is damaged or incomplete"),
      (.cannotOpen, "the backup or the timeline cannot be opened"),
      (.unsupported, "the backup or the timeline is valid but not supported"),
      (.bug, "a bug in this program"),
      (.cannotCreate, "the output cannot be created"),
      (.inputOutput, "reading or writing failed"),
      (.hungUp, "hung up: the terminal or session was closed"),
      (.interrupted, "interrupted"),
      (.terminated, "terminated"),
    ] as [(Failure.Code, String)]).map { ($0.rawValue, $1) }
}
