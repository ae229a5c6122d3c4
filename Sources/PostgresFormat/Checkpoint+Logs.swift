extension Checkpoint {
  /// A page of a log of transaction state, counted from the log's first.
  public struct LogPage: Equatable, Sendable {
    public let log: SLRUKind
    public let page: UInt32

    public var segmentNumber: UInt32 { page / UInt32(SLRUKind.pagesPerSegment) }
    public var pageInSegment: UInt32 { page % UInt32(SLRUKind.pagesPerSegment) }
  }

  /// The pages without which no server starts from this checkpoint after a shutdown: those that
  /// hold the state of the next transaction and the next multixact, where they hold any other's too.
  ///
  /// (Postgres, `src/backend/access/transam`: `clog.c`, `TrimCLOG`; `multixact.c`, `TrimMultiXact`.
  /// A transaction takes 2 bits, an offset 4 bytes, four members 20 bytes and never parts of two
  /// pages.)
  public var neededLogPages: [LogPage] {
    let transaction = UInt32(truncatingIfNeeded: nextTransactionID)
    let memberGroup = nextMultixactMember / 4
    let places: [(SLRUKind, position: UInt32, perPage: UInt32)] = [
      (.transactions, transaction, 8192 * 4), (.multixactOffsets, nextMultixactID, 8192 / 4),
      (.multixactMembers, memberGroup, 8192 / 20),
    ]
    return places.filter { !$0.position.isMultiple(of: $0.perPage) }
      .map { LogPage(log: $0.0, page: $0.position / $0.perPage) }
  }
}

extension Checkpoint {
  /// The segments of one log that may be looked into, the newest first: as far as they were not
  /// truncated, they are there without a gap.
  public struct LogRange: Equatable, Sendable {
    public let log: SLRUKind
    /// From the newest to the oldest; the numbers begin anew behind the highest.
    public let segmentNumbers: [UInt32]
  }

  /// What the rows of the cluster may ask the logs of transaction state for.
  ///
  /// The newest segment of each must be there. The older end is an estimate: the checkpoint's
  /// oldest transaction may be older than the log (`src/backend/access/transam/clog.c`, `clog_redo`,
  /// truncates without setting it; `pg_resetwal -x` of former versions made one up), and where the
  /// oldest multixact's members begin stands in the log only, but each multixact has one or more.
  ///
  /// - Parameter isPageservers: whether a pageserver wrote the checkpoint, whose next transaction id
  ///   is ahead of those given out by up to 1024 (Neon, `libs/postgres_ffi/src/xlog_utils.rs`,
  ///   `XID_CHECKPOINT_INTERVAL`).
  public func liveLogs(isPageservers: Bool) -> [LogRange] {
    let next = UInt32(truncatingIfNeeded: nextTransactionID)
    let ahead = isPageservers ? min(1024, next &- oldestTransactionID) : 1
    // The ids below 3 are given to nobody.
    let last = next <= 3 ? .max : next &- max(1, ahead)
    let multixactCount = nextMultixactID &- oldestMultixactID
    let memberCount = nextMultixactMember == 0 ? 0 : multixactCount
    let ranges: [(SLRUKind, count: UInt32, last: UInt32, perSegment: UInt32)] = [
      (.transactions, last &- oldestTransactionID &+ 1, last, 8192 * 4 * 32),
      (.multixactOffsets, multixactCount, nextMultixactID &- 1, 8192 / 4 * 32),
      (.multixactMembers, memberCount, nextMultixactMember &- 1, 8192 / 20 * 4 * 32),
    ]
    return ranges.compactMap { log, count, last, perSegment in
      // Half of all ids are older than any one, and half newer.
      guard count > 0, count <= 1 << 31 else { return nil }
      let segmentCount = UInt32.max / perSegment + 1
      let newest = last / perSegment
      let oldest = (last &- (count - 1)) / perSegment
      let distance = (newest + segmentCount - oldest) % segmentCount
      return LogRange(
        log: log,
        segmentNumbers: (0...distance).map { (newest + segmentCount - $0) % segmentCount })
    }
  }
}
