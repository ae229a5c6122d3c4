import PostgresFormat
import System

/// What people keep and give as a backup, but is no copy of a data directory: how it is recognised
/// by the names in it, and what to do about it.
///
/// The table is all there is to it: to know one kind more is to add a row. Files that are known by
/// their first bytes are in `ForeignFile`.
package struct ForeignBackup: Sendable {
  /// What it is, after "'x' is " or "the backup is ".
  let name: String
  /// What to do, in full sentences.
  let hint: String
  let code: ErrorCode
  /// Paths that only this has, as the ends of paths; a `*` stands for anything but a slash.
  let signs: [String]

  /// The kinds; the first that has a sign counts.
  static let table = [
    ForeignBackup(
      name: "a pgBackRest repository, not a data directory",
      hint:
        "Restore it with 'pgbackrest restore' into an empty directory. Give that directory with "
        + "'--recover-with', and 'pgbackrest --stanza=STANZA archive-get %f %p' with "
        + "'--restore-command'.",
      code: .foreignBackup,
      signs: [
        "backup.manifest", "backup.manifest.copy", "backup.info.copy", "archive.info",
        "archive.info.copy", "PG_VERSION.gz", "PG_VERSION.lz4", "PG_VERSION.zst", "PG_VERSION.bz2",
        "global/pg_control.gz", "global/pg_control.lz4", "global/pg_control.zst",
        "global/pg_control.bz2",
      ]),
    ForeignBackup(
      name: "a backup by WAL-G or WAL-E, not a data directory",
      hint: "Fetch it with 'wal-g backup-fetch DIR LATEST' into an empty directory. Give that "
        + "directory with '--recover-with', and 'wal-g wal-fetch %f %p' with '--restore-command'.",
      code: .foreignBackup,
      signs: [
        "tar_partitions", "tar_partitions/*", "*_backup_stop_sentinel.json", "files_metadata.json",
      ]),
    ForeignBackup(
      name: "a catalog of pg_probackup, not a data directory",
      hint:
        "Restore it with 'pg_probackup restore' into an empty directory, and give that directory "
        + "with '--recover-with'. The command that its 'postgresql.auto.conf' has as "
        + "restore_command, if any, is for '--restore-command'.",
      code: .foreignBackup,
      signs: ["backup.control", "backup_content.control", "pg_probackup.conf"]),
    barman,
    ForeignBackup(
      name: "a dump made by pg_dump, not a data directory", hint: dumpHint, code: .pgDump,
      signs: ["toc.dat"]),
    ForeignBackup(
      name: "the old cluster of 'pg_upgrade --link', which shares its files with the new one",
      hint: "Import the new cluster. If that has never been started, rename "
        + "'global/pg_control.old' back to 'global/pg_control' and import this one.",
      code: .upgradedCluster, signs: ["global/pg_control.old"]),
  ]

  /// Barman keeps a plain data directory beside its own file, so that this one names the place.
  private static let barman = ForeignBackup(
    name: "a backup of Barman, not a data directory",
    hint:
      "Give the directory 'data' beside 'backup.info' with '--recover-with', and 'barman get-wal "
      + "SERVER %f > %p' with '--restore-command'.",
    code: .foreignBackup, signs: ["backup.info"])

  /// The error; `subject` is `'x'` or `the backup`.
  func failure(_ subject: String) -> Failure { Failure(code, "\(subject) is \(name)", hint: hint) }

  /// Whether a path, split at its slashes, ends as one of the signs.
  func isSign(_ path: [Substring]) -> Bool {
    signs.contains { sign in
      let sign = sign.split(separator: "/")
      return sign.count <= path.count
        && zip(sign, path.suffix(sign.count)).allSatisfy { Self.matches($1, $0) }
    }
  }

  /// Whether a name is the pattern, which may begin with `*`, or be nothing else.
  private static func matches(_ name: Substring, _ pattern: Substring) -> Bool {
    pattern.hasPrefix("*") ? name.hasSuffix(pattern.dropFirst()) : name == pattern
  }
}

/// What to do with a file of pg_dump.
let dumpHint =
  "A dump has the contents of one database, not its files. Take a backup of the whole cluster with "
  + "pg_basebackup, or make a tar of the data directory of the stopped cluster."

/// What the names in a backup say of it, besides the files that an import takes: whether it is
/// something else, and where else a cluster is in it.
package struct BackupClues: Sendable {
  private var kinds: Set<Int> = []
  /// The directories that hold `global/pg_control`, empty for the top; the first eight.
  package private(set) var clusters: [String] = []
  /// The directories that were stripped from the name of the first file that only the top of a data
  /// directory has.
  private var stripped: [Substring]?

  /// Nothing has been noted yet.
  package init() {}

  private static let clusterLimit = 8

  /// Whether one of the directories is beside Barman's own file.
  package var isBarman: Bool {
    ForeignBackup.table.indices.contains { index in
      kinds.contains(index) && ForeignBackup.table[index].signs == ["backup.info"]
    }
  }

  /// Notes the name of a file or directory that is not imported where it is, all of its directories
  /// included.
  package mutating func note(_ name: String) {
    let path = name.split(separator: "/").filter { $0 != "." }
    for index in ForeignBackup.table.indices where ForeignBackup.table[index].isSign(path) {
      kinds.insert(index)
    }
    guard path.last == "pg_control", path.dropLast().last == "global" else { return }
    let cluster = (name.hasPrefix("/") ? "/" : "") + path.dropLast(2).joined(separator: "/")
    if !clusters.contains(cluster), clusters.count < Self.clusterLimit { clusters.append(cluster) }
  }

  /// Throws if a file of the top of a data directory is of another one than those before, or of a
  /// database: the names of both are the same when `count` directories are stripped.
  package mutating func requireOneCluster(
    _ name: String, strippingComponents count: Int
  ) throws(Failure) {
    guard count > 0 else { return }
    let directories = name.split(separator: "/").filter { $0 != "." }.prefix(count)
    if directories.dropLast().last == "base", directories.last?.allSatisfy(\.isNumber) == true {
      throw Failure(
        .misplacedDataDirectory,
        "too many directories are stripped from the names, such as \(name.quoted)",
        hint: "Import it with '--strip-components \(count - 2)'."
      ).remedied(by: Remedy(options: ["--strip-components", "\(count - 2)"]))
    }
    guard let stripped, stripped != Array(directories) else {
      stripped = Array(directories)
      return
    }
    throw Self.severalClusters(
      [stripped, Array(directories)].map { $0.joined(separator: "/") }, in: "the backup")
  }

  /// The error for a tar that has no `global/pg_control` where it should be.
  package var missingControlFile: Failure {
    if clusters.count == 1 {
      let depth = clusters[0].split(separator: "/").count
      guard depth > 0 else {
        return Failure(
          .misplacedDataDirectory, "'global/pg_control' is at the top of the backup, not below it",
          hint: "Import it without '--strip-components'."
        ).remedied(by: Remedy(options: ["--strip-components", "0"]))
      }
      return Failure(
        .misplacedDataDirectory,
        "'global/pg_control' is not at the top of the backup, but "
          + (depth == 1 ? "one directory" : "\(depth) directories") + " below it",
        hint: "Import it with '--strip-components \(depth)'."
      ).remedied(by: Remedy(options: ["--strip-components", "\(depth)"]))
    }
    if let failure = foreign("the backup") { return failure }
    if !clusters.isEmpty { return Self.severalClusters(clusters, in: "the backup") }
    return Failure(
      .missingControlFile, "the backup has no 'global/pg_control'",
      hint: "Give a complete data directory, or a tar of one.")
  }

  /// The error of what is recognised as something else; nil if nothing is.
  package func foreign(_ subject: String) -> Failure? {
    kinds.min().map { ForeignBackup.table[$0].failure(subject) }
  }

  static func severalClusters(_ directories: [String], in subject: String) -> Failure {
    let names = directories.map(\.quoted).joined(separator: ", ")
    return Failure(
      .severalClusters, "\(subject) contains several clusters: \(names)",
      hint: "Each cluster is imported by itself. Give the data directory of one, or a tar of it.")
  }
}

extension Failure {
  /// The error of a file that a tar has twice.
  package static func duplicate(_ path: String) -> Failure {
    Failure(
      .duplicateFile, "file '\(path)' appears twice in the backup",
      hint: "If files were added to the tar later ('tar -u', 'tar -r'), extract it, and give the "
        + "directory.")
  }
}
