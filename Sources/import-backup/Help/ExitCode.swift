import System

/// What the program's exit codes mean, for the help and the man page.
enum ExitCode {
  /// In ascending order; a command that can end in another code adds it here.
  static let meanings: [(code: Int32, meaning: String)] =
    [(0, "done")]
    + ([
      (.difference, "verification found a difference"),
      (.inUse, "the timeline directory is in use, or already has an index"),
      (.usage, "wrong usage"),
      (.damaged, "the backup, or a timeline to be read, is damaged or incomplete"),
      (.cannotOpen, "the backup or the timeline cannot be opened"),
      (.unsupported, "the backup or timeline is sound but not supported"),
      (.bug, "a bug in this program"),
      (.cannotCreate, "the output cannot be created"),
      (.inputOutput, "reading or writing failed"),
      (.hungUp, "hung up: the terminal or session is gone"),
      (.interrupted, "interrupted"),
      (.terminated, "terminated"),
    ] as [(Failure.Code, String)]).map { ($0.rawValue, $1) }
}
