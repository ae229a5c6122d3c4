/// How the program ends: the kinds of failure that a shell script tells apart.
///
/// Every `ErrorCode` has one of them. (`sysexits.h` for those from 64 to 78; 128 and the signal's
/// number, as shells have it, for the last three)
public enum ExitCode: Int32, CaseIterable, Sendable {
  /// Everything was done.
  case success = 0
  /// A verification found a difference, a key that was asked for does not exist, or a timeline is not
  /// in service.
  case difference = 1
  /// The timeline directory is in use, or already has an index.
  case inUse = 2
  /// The command line is wrong.
  case usage = 64
  /// The backup, or a timeline to be read, is damaged, incomplete or inconsistent.
  case damaged = 65
  /// The backup or the timeline cannot be opened.
  case cannotOpen = 66
  /// The input is sound, but this program cannot carry it over, or the service is not there.
  case unsupported = 69
  /// A bug in this program.
  case bug = 70
  /// The output cannot be created.
  case cannotCreate = 73
  /// Reading or writing failed.
  case inputOutput = 74
  /// A server refused the credentials, or they allow something else.
  case notPermitted = 77
  /// The terminal or session was closed: SIGHUP.
  case hungUp = 129
  /// Interrupted by SIGINT.
  case interrupted = 130
  /// Terminated by SIGTERM.
  case terminated = 143

  /// What it means, in a phrase for the help, the man page and `Docs/errors.md`.
  public var meaning: String {
    switch self {
    case .success: "success"
    case .difference:
      "a difference, a missing key, or a timeline that is not in service"
    case .inUse: "the timeline is being imported, or already exists"
    case .usage: "the command line is wrong"
    case .damaged: "the backup or the timeline is damaged or incomplete"
    case .cannotOpen: "the backup or the timeline cannot be opened"
    case .unsupported: "input is valid but not supported, or the service is unavailable"
    case .bug: "a bug in this program"
    case .cannotCreate: "the output cannot be created"
    case .inputOutput: "reading or writing failed"
    case .notPermitted: "a server refused the credentials"
    case .hungUp: "hung up: the terminal or session was closed"
    case .interrupted: "interrupted"
    case .terminated: "terminated"
    }
  }
}
