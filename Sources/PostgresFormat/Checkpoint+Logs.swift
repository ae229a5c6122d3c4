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
