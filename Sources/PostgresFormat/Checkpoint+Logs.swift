extension Checkpoint {
  /// A page of a log of transaction state, counted from the start of the log.
  public struct LogPage: Equatable, Sendable {
    /// The log.
    public let log: SLRUKind
    /// The number of the page in the log.
    public let page: UInt32

    /// The number of the segment that contains the page.
    public var segmentNumber: UInt32 { page / UInt32(SLRUKind.pagesPerSegment) }
    /// The number of the page in its segment.
    public var pageInSegment: UInt32 { page % UInt32(SLRUKind.pagesPerSegment) }
  }

  /// The pages that a server needs to start from this checkpoint after a shutdown: those with the
  /// state of the next transaction and the next multixact, unless they are the first on their page.
  ///
  /// (Postgres, `src/backend/access/transam`: `clog.c`, `TrimCLOG`; `multixact.c`, `TrimMultiXact`.
  /// A transaction takes 2 bits, an offset 4 bytes, and four members 20 bytes on the same page.)
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
  /// The segments of one log that may be read, the newest first: those that were not truncated
  /// exist without a gap.
  public struct LogRange: Equatable, Sendable {
    /// The log.
    public let log: SLRUKind
    /// From the newest to the oldest; the numbers start again after the highest.
    public let segmentNumbers: [UInt32]
  }

  /// The segments of the logs of transaction state that rows of the cluster may refer to.
  ///
  /// The newest segment of each must exist. The oldest is an estimate. The checkpoint's oldest
  /// transaction may be older than the log (`src/backend/access/transam/clog.c`, `clog_redo`,
  /// truncates without setting it; `pg_resetwal -x` of earlier versions made one up). The first
  /// member of the oldest multixact is recorded in the log only, but each multixact has at least
  /// one.
  ///
  /// - Parameter isPageservers: whether a pageserver wrote the checkpoint. Its next transaction id
  ///   is
  ///   up to 1024 ahead of those assigned (Neon, `libs/postgres_ffi/src/xlog_utils.rs`,
  ///   `XID_CHECKPOINT_INTERVAL`).
  public func liveLogs(isPageservers: Bool) -> [LogRange] {
    let next = UInt32(truncatingIfNeeded: nextTransactionID)
    let ahead = isPageservers ? min(1024, next &- oldestTransactionID) : 1
    // Ids below 3 are never assigned.
    let last = next <= 3 ? .max : next &- max(1, ahead)
    let multixactCount = nextMultixactID &- oldestMultixactID
    let memberCount = nextMultixactMember == 0 ? 0 : multixactCount
    let ranges: [(SLRUKind, count: UInt32, last: UInt32, perSegment: UInt32)] = [
      (.transactions, last &- oldestTransactionID &+ 1, last, 8192 * 4 * 32),
      (.multixactOffsets, multixactCount, nextMultixactID &- 1, 8192 / 4 * 32),
      (.multixactMembers, memberCount, nextMultixactMember &- 1, 8192 / 20 * 4 * 32),
    ]
    return ranges.compactMap { log, count, last, perSegment in
      // For any id, half of all ids are older, and half newer.
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
