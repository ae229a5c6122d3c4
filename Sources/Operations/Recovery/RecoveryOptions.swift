import System

/// How the backup of a cluster that was running is recovered.
public struct RecoveryOptions: Sendable {
  /// The directory of the Postgres programs: that of `postgres` of the cluster's version.
  public var programs: String

  /// The directory that the scratch directory is made in; nil for the one that holds the output.
  public var scratchParent: String?

  /// Leave the scratch directory, with the server's log, where it is.
  public var keepsScratch = false

  /// The operating system's user that the server runs as; nil for one that exists for this run only
  /// if this program runs as root, and else for its own.
  public var user: String?

  /// Run Postgres without a sandbox, as for a backup of one's own.
  public var trustsBackup = false

  /// Recover a full copy of the backup, rather than its WAL beside pages that are read once.
  public var copiesAll = false

  /// The command that fetches WAL for Postgres, which is asked before the backup's own WAL; nil for
  /// none. It runs as this program's user, in its working directory, with its environment.
  public var restoreCommand: String?

  /// Where the recovery is to end; nil for the end of the WAL.
  public var target: RecoveryTarget?

  /// End just before the target, and not after it.
  public var isTargetExclusive = false

  /// The timeline to recover along: `current`, a number in decimal, or `latest` or nil for the newest.
  public var targetTimeline: String?

  /// Pass over a target that the backup's own settings have.
  public var ignoresSettings = false

  /// Take a copy without a label for one of a single moment, if nothing shows whether it is.
  public var assumesSnapshot = false

  /// A tar or a directory with the backup's WAL, besides what the backup holds.
  public var writeAheadLog: String?

  /// The directories of tablespaces, by the numbers that links in `pg_tblspc` have: they are read
  /// whatever those links lead to.
  public var tablespaces: [UInt32: String] = [:]

  /// For how long the server may neither replay WAL, nor use a processor, nor change the size of a
  /// file, before it is ended.
  public var idleLimit = Duration.seconds(30 * 60)

  /// Gets a line about what is done and how much room it takes, before it is done.
  public var announce: (@Sendable (String) -> Void)?

  /// The default options, with the Postgres programs in this directory.
  public init(programs: String) {
    self.programs = programs
  }

  /// The directory that an output is in, in which the scratch is unless it has a place of its own.
  static func place(beside output: String) -> String {
    var text = output[...]
    while text.count > 1 && text.hasSuffix("/") { text.removeLast() }
    return SystemCalls.parent(of: String(text))
  }
}
