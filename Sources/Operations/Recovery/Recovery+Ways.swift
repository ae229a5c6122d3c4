import PostgresFormat
import System

extension Recovery {
  /// Recovers the backup in one pass, or on a full copy: if that is needed, as may show only when all has
  /// been read. A pipe cannot be read again.
  ///
  /// - Parameters:
  ///   - inOnePass: gets the prepared place.
  ///   - beforeCopy: refuses what cannot be copied.
  ///   - onMismatch: gets why the backup is not the one that it must be, if that is said.
  ///   - onCopy: gets the cluster once it is recovered; its scratch is removed afterwards, unless it is
  ///     to be kept.
  func recover<Result>(
    inOnePass: (Place) throws(Failure) -> Result,
    beforeCopy: () throws(Failure) -> Void = {},
    onMismatch: (BackupIdentity.Mismatch) throws(Failure) -> Result = { _ throws(Failure) in
      throw Failure(.bug, "any backup may be recovered")
    },
    onCopy: (RecoveredCluster) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var copying = self
    var place: Place? = try prepare()
    if let onePass = place, onePass.isInOnePass {
      place = nil  // its scratch goes before there is another one
      do throws(Failure) {
        let result = try inOnePass(onePass)
        onePass.scratch.removeAtEnd(announce: options.announce)
        return result
      } catch  where error.code == .fullCopyNeeded && !onePass.backup.isPipe {
        try beforeCopy()
        options.announce?("the cluster has tablespaces, which show only now")
        copying.options.copiesAll = true
      }
    } else {
      try beforeCopy()
    }
    let outcome =
      if let place { try copying.run(in: place) } else { try copying.run(in: copying.prepare()) }
    let cluster: RecoveredCluster
    switch outcome {
    case .recovered(let recovered): cluster = recovered
    case .mismatched(let mismatch): return try onMismatch(mismatch)
    }
    let result = try onCopy(cluster)
    cluster.scratch.removeAtEnd(announce: options.announce)
    return result
  }
}
