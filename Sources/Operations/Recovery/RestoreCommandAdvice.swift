import PostgresFormat
import System

/// What to do if the server lacks WAL: which command fetches it, so that it works here.
///
/// A server runs its `restore_command` in the data directory, and some commands depend on that: Barman
/// writes `cp barman_wal/%f %p` into what it has restored, and pgBackRest compares a cluster with its
/// archive, whose directory it takes from its configuration or from `--pg1-path`. Here the command runs
/// in the working directory of this program.
struct RestoreCommandAdvice {
  /// The backup, if it is a data directory.
  let directory: String?
  /// The command that was given; nil for none.
  let given: String?
  /// The one that the backup's own settings have.
  let own: String?

  /// The error of a server that could not recover, with a hint that names the command to give.
  func advise(_ failure: Failure) -> Failure {
    guard let command = given else {
      // It is the backup's, and would run outside the sandbox: so it is shown, and not put into a
      // command line.
      guard let own else { return failure }
      return Failure(
        failure.code, failure.message,
        hint:
          "The backup's own settings fetch WAL with \((adapted(own) ?? own).quoted). If you trust "
          + "that command, give it with '--restore-command'; it runs in the working directory of "
          + "import-backup."
      ).remedied(by: nil)
    }
    let better = adapted(command)
    let hint: String
    if Self.needsDirectory(command) {
      hint =
        "pgBackRest compares the cluster with its archive: give it a data directory of the cluster "
        + "with '--pg1-path'" + (directory == nil ? "." : ", such as the backup.")
    } else if better != command {
      hint =
        "The restore command runs in the working directory of import-backup, not in the data "
        + "directory: give it absolute paths."
    } else {
      return failure
    }
    return Failure(failure.code, failure.message, hint: hint)
      .remedied(by: better.map { Remedy(options: ["--restore-command", $0]) })
  }

  /// The command as it works from another directory; nil if that takes what is not known.
  func adapted(_ command: String) -> String? {
    // A shell runs it, and Postgres expands what follows a percent sign.
    let directory = directory.flatMap { path in
      path.utf8.allSatisfy { Self.plainBytes.contains($0) } ? path : nil
    }
    var words = command.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    for index in words.indices {
      guard let place = relativePlace(words[index]) else { continue }
      guard let directory else { return nil }
      words[index] = words[index].replacing(
        place, with: directory + "/" + place, maxReplacements: 1)
    }
    if Self.needsDirectory(command) {
      guard let directory, let index = words.firstIndex(of: "archive-get") else { return nil }
      words.insert("--pg1-path=" + directory, at: index)
    }
    return words.joined(separator: " ")
  }

  /// What means nothing but itself to a shell and to Postgres.
  private static let plainBytes = Set(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+@-".utf8)

  /// The path in a word that is one of a file in the data directory; nil for other words.
  private func relativePlace(_ word: String) -> String? {
    let place = word.filter { $0 != "\"" && $0 != "'" }
    guard let first = place.split(separator: "/", omittingEmptySubsequences: false).first,
      place.contains("/"), !["", ".", "..", "~"].contains(first), !place.contains("="),
      !first.hasPrefix("-"), !first.hasPrefix("%"), !place.contains(":")
    else { return nil }
    // Without the directory at hand, Barman's is known by its name.
    let isThere = directory.map { SystemCalls.exists($0 + "/" + first) } ?? (first == "barman_wal")
    return isThere && !SystemCalls.exists(String(first)) ? place : nil
  }

  /// Whether it is pgBackRest's command, which needs a data directory, without one.
  private static func needsDirectory(_ command: String) -> Bool {
    command.contains("pgbackrest") && command.contains("archive-get")
      && !command.contains("--pg1-path")
  }
}
