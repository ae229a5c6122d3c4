import Backup

/// A cluster that was brought to a stop on a scratch copy, to be imported from there.
struct RecoveredCluster: Sendable {
  /// Removed, with the copy in it, when it is released.
  let scratch: ScratchDirectory
  /// Of the Postgres that did it, as it words that itself.
  let serverVersion: String
  /// The names of the tablespaces whose contents are in the default one now, escaped.
  let movedTablespaces: [String]
  /// What was not copied.
  let leftOut: LeftOutTally
  /// What the backup's manifest said.
  let manifest: ManifestSummary
}
