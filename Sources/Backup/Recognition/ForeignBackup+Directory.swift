import PostgresFormat
import System

extension BackupClues {
  /// The names in a directory, three levels deep: a repository is known by those.
  init(directory: String) {
    self.init()
    var directories = [directory]
    var count = 0
    for _ in 0..<Self.depth {
      var next: [String] = []
      for directory in directories {
        // What cannot be listed says nothing.
        for name in (try? SystemCalls.names(in: directory, for: .listInput)) ?? [] {
          count += 1
          guard count < Self.nameLimit else { return }
          let path = directory + "/" + name
          note(path)
          if (try? SystemCalls.status(at: path))?.kind == .directory { next.append(path) }
        }
      }
      directories = next
    }
  }

  /// How deep a repository is looked into: `backup/STANZA/backup.info`, and one level more for a
  /// data directory's `global/pg_control`.
  private static let depth = 4
  private static let nameLimit = 10_000
}

/// Throws if the directory at `path` is no data directory, and says what it is instead.
///
/// - Throws: `.notADataDirectory`, or what the table says; the remedy names a data directory that is below.
package func requireDataDirectory(_ path: String) throws(Failure) {
  // Its data files have headers of their own between the pages.
  if SystemCalls.exists(SystemCalls.parent(of: path) + "/backup_content.control") {
    var clues = BackupClues()
    clues.note("backup_content.control")
    if let failure = clues.foreign(path.quoted) { throw failure }
  }
  guard !isDataDirectory(path) else { return }
  let clues = BackupClues(directory: path)
  if clues.clusters.count == 1, let cluster = clues.clusters.first {
    throw contains(cluster, path, isBarman: clues.isBarman)
  }
  if let failure = clues.foreign(path.quoted) { throw failure }
  if !clues.clusters.isEmpty {
    throw BackupClues.severalClusters(clues.clusters, in: path.quoted)
  }
  throw Failure(
    .notADataDirectory,
    "\(path.quoted) is neither a data directory nor a base backup: it has no 'PG_VERSION' and "
      + "no 'base.tar'",
    hint: "Give a tar, or the data directory of a stopped cluster.")
}

/// The error of a directory that is not the data directory, but has one below it.
private func contains(_ cluster: String, _ path: String, isBarman: Bool) -> Failure {
  guard isBarman else {
    return Failure(
      .notADataDirectory,
      "\(path.quoted) is not a data directory, but contains one: \(cluster.quoted)",
      hint: "Give that directory."
    ).remedied(by: Remedy(backup: cluster))
  }
  // SERVER/base/ID/data
  let names = ((try? SystemCalls.resolved(cluster)) ?? "").split(separator: "/")
  let server = names.dropLast(2).last == "base" ? names.dropLast(3).last : nil
  let command = "barman get-wal \(server ?? "SERVER") %f > %p"
  return Failure(
    .foreignBackup, "\(path.quoted) is a backup of Barman: its data directory is \(cluster.quoted)",
    hint: "Give that directory with '--recover-with', and '\(command)' with '--restore-command'."
  ).remedied(
    by: server == nil ? nil : Remedy(backup: cluster, options: ["--restore-command", command]))
}
