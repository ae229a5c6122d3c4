extension BackupManifestParser {
  /// Checks that the manifest, read to its end, belongs to the same cluster as `controlFile`.
  ///
  /// The last checkpoint in `pg_control` is within the WAL ranges of the manifest: the backup
  /// started with a checkpoint, and ended after every checkpoint in it.
  ///
  /// - Throws: `damaged` if the cluster differs, or the checkpoint is outside the ranges.
  public func requireCluster(of controlFile: ControlFile) throws(FormatError) {
    if let systemIdentifier, systemIdentifier != controlFile.systemIdentifier {
      throw FormatError(
        .manifestOfOtherCluster,
        "it belongs to cluster \(systemIdentifier), but 'global/pg_control' to cluster "
          + "\(controlFile.systemIdentifier)")
    }
    let checkpoint = controlFile.checkpointCopy
    let holdsCheckpoint = walRanges.contains {
      $0.timeline == checkpoint.timelineID && $0.start <= checkpoint.redo
        && checkpoint.redo <= $0.end
    }
    guard holdsCheckpoint || walRanges.isEmpty else {
      throw FormatError(
        .manifestOfOtherCluster,
        "the checkpoint of 'global/pg_control', \(checkpoint.redo) on timeline "
          + "\(checkpoint.timelineID), is outside its WAL ranges")
    }
  }
}
