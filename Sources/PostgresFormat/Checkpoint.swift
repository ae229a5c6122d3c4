/// Postgres's `CheckPoint` struct, as in the control file and in the WAL record of a checkpoint.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    8 redo: where replay from this checkpoint would start
///          8    4 this timeline
///         12    4 previous timeline
///         20    4 wal_level (17 and later; padding before)
///         24    8 next transaction id, with its epoch
///         36    4 next multixact id
///         40    4 number of the first member of the next multixact
///         44    4 oldest transaction id that a row may have
///         52    4 oldest multixact id that a row may have
///         64    8 when the checkpoint began
///         80    4 oldest active transaction id
///
/// The layout is the same in versions 14 to 17 (Postgres, `src/include/catalog/pg_control.h`). All
/// other bytes are kept as they are.
public struct Checkpoint: Equatable, Sendable {
  /// The length of the struct in bytes.
  public static let byteCount = 88

  /// The bytes of the struct as in a file; always `byteCount` bytes.
  public private(set) var bytes: [UInt8]

  /// Copies the struct from exactly `byteCount` bytes; traps on any other count.
  public init(_ bytes: RawSpan) {
    precondition(bytes.byteCount == Self.byteCount)
    self.bytes = bytes.array
  }

  /// The position from which WAL would be replayed.
  public var redo: LogSequenceNumber {
    get { LogSequenceNumber(rawValue: bytes.littleEndian(at: 0)) }
    set { bytes.setLittleEndian(newValue.rawValue, at: 0) }
  }

  /// The Postgres timeline of the checkpoint.
  public var timelineID: UInt32 {
    get { bytes.littleEndian(at: 8) }
    set { bytes.setLittleEndian(newValue, at: 8) }
  }

  /// The Postgres timeline before this one; the same if the checkpoint did not start a new one.
  public var prevTimelineID: UInt32 {
    get { bytes.littleEndian(at: 12) }
    set { bytes.setLittleEndian(newValue, at: 12) }
  }

  /// The next transaction id to be assigned; the upper half is the epoch.
  public var nextTransactionID: UInt64 { bytes.littleEndian(at: 24) }

  /// The next multixact id to be assigned.
  public var nextMultixactID: UInt32 { bytes.littleEndian(at: 36) }

  /// The number of the first member of the next multixact, counted over all multixacts.
  public var nextMultixactMember: UInt32 { bytes.littleEndian(at: 40) }

  /// The oldest transaction id in rows that is looked up in `pg_xact`.
  public var oldestTransactionID: UInt32 { bytes.littleEndian(at: 44) }

  /// The oldest multixact id that a row may have.
  public var oldestMultixactID: UInt32 { bytes.littleEndian(at: 52) }

  /// The oldest transaction id that may still run; 0 in a shutdown checkpoint.
  public var oldestActiveTransactionID: UInt32 {
    get { bytes.littleEndian(at: 80) }
    set { bytes.setLittleEndian(newValue, at: 80) }
  }
}

extension Checkpoint {
  /// When the checkpoint began, in seconds since 1970.
  public var time: Int64 {
    get { bytes.littleEndian(at: 64) }
    set { bytes.setLittleEndian(newValue, at: 64) }
  }

  /// The checkpoint as a timeline stores it.
  ///
  /// A compute starts from it like a hot standby. It needs the oldest transaction that may still
  /// run, which a shutdown checkpoint does not contain, and supports Postgres timeline 1 only.
  ///
  /// - Parameters:
  ///   - end: the end of the shutdown checkpoint record; nil for a backup by a pageserver, in which
  ///     the checkpoint is already adjusted and keeps its values.
  ///   - preparedTransactions: the ids of the two-phase files, in any order.
  public func forTimeline(
    end: LogSequenceNumber?, preparedTransactions: [UInt64]
  ) -> Checkpoint {
    var adjusted = self
    adjusted.timelineID = 1
    adjusted.prevTimelineID = 1
    if let end { adjusted.redo = end }
    if end != nil || oldestActiveTransactionID == 0 {
      adjusted.oldestActiveTransactionID = preparedTransactions.lazy
        .map { UInt32(truncatingIfNeeded: $0) }
        .reduce(UInt32(truncatingIfNeeded: nextTransactionID)) {
          Self.precedes($1, $0) ? $1 : $0
        }
    }
    return adjusted
  }

  /// The checkpoint of a shutdown at `start`, made from the checkpoint of a timeline.
  ///
  /// Only the checkpoint of a running cluster has an oldest transaction that may still run
  /// (`src/include/catalog/pg_control.h`, `oldestActiveXid`).
  public func forShutdown(at start: LogSequenceNumber) -> Checkpoint {
    var adjusted = self
    adjusted.redo = start
    adjusted.timelineID = 1
    adjusted.prevTimelineID = 1
    adjusted.oldestActiveTransactionID = 0
    return adjusted
  }

  /// Checks that a prepared transaction began before the checkpoint, and, if the names of two-phase
  /// files have an epoch, that it is the epoch of the transaction.
  ///
  /// - Throws: `damaged` otherwise. Postgres would delete the file as one from the future when it
  ///   starts (`src/backend/access/transam/twophase.c`, `ProcessTwoPhaseBuffer`), or look for it
  ///   under another name (`AdjustToFullTransactionId` in version 17).
  public func requireAssigned(
    preparedTransaction id: UInt64, version: PostgresVersion
  ) throws(FormatError) {
    let next = UInt32(truncatingIfNeeded: nextTransactionID)
    let low = UInt32(truncatingIfNeeded: id)
    guard Self.precedes(low, next) else {
      throw .damaged(
        "transaction \(id) is prepared, but the checkpoint's next transaction id is \(next)")
    }
    guard version.twoPhaseNameDigits == 16 else { return }
    // Transactions with ids above the next one began before the epoch changed.
    let epoch = nextTransactionID >> 32
    guard id >> 32 &+ (low > next ? 1 : 0) == epoch else {
      throw .damaged(
        "the name of its two-phase file has epoch \(id >> 32), but the checkpoint's next transaction "
          + "id is \(next) in epoch \(epoch)")
    }
  }

  /// Whether one transaction id is older than another: modulo 2^32, except that ids below 3 are
  /// older than all others (`src/backend/access/transam/transam.c`, `TransactionIdPrecedes`).
  static func precedes(_ left: UInt32, _ right: UInt32) -> Bool {
    if left < 3 || right < 3 { return left < right }
    return Int32(bitPattern: left &- right) < 0
  }
}
