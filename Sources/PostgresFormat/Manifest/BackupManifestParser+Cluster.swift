extension BackupManifestParser {
  /// Checks that the manifest, read to its end, is of the cluster that `controlFile` is of.
  ///
  /// The last checkpoint that `pg_control` knows lies in the WAL that the manifest asks for: the
  /// backup began with one, and ended behind every one that it holds.
  ///
  /// - Throws: `damaged` where the cluster is another, or the checkpoint lies elsewhere.
  public func requireCluster(of controlFile: ControlFile) throws(FormatError) {
    if let systemIdentifier, systemIdentifier != controlFile.systemIdentifier {
      throw .damaged(
        "it is of cluster \(systemIdentifier), 'global/pg_control' of cluster "
          + "\(controlFile.systemIdentifier)")
    }
    let checkpoint = controlFile.checkpointCopy
    let holdsCheckpoint = walRanges.contains {
      $0.timeline == checkpoint.timelineID && $0.start <= checkpoint.redo
        && checkpoint.redo <= $0.end
    }
    guard holdsCheckpoint || walRanges.isEmpty else {
      throw .damaged(
        "the checkpoint \(checkpoint.redo) on timeline \(checkpoint.timelineID) of "
          + "'global/pg_control' lies outside of its WAL ranges")
    }
  }
}
