/// One of the logs of transaction state that a timeline stores ("simple least recently used").
///
/// The numbers are those in the keys of a timeline.
public enum SLRUKind: UInt8, CaseIterable, Hashable, Comparable, Sendable {
  /// `pg_xact`: two bits for each transaction, whether it committed.
  case transactions = 0
  /// `pg_multixact/members`: the transactions that hold a row lock together.
  case multixactMembers
  /// `pg_multixact/offsets`: where each multixact's members begin.
  case multixactOffsets

  /// The number of pages in a full segment.
  public static let pagesPerSegment = 32

  /// The directory of the segments in the data directory.
  public var directory: String {
    switch self {
    case .transactions: "pg_xact"
    case .multixactMembers: "pg_multixact/members"
    case .multixactOffsets: "pg_multixact/offsets"
    }
  }

  /// The file name of a segment: at least four upper-case hexadecimal digits.
  public static func fileName(ofSegment number: UInt32) -> String {
    number.hexadecimal(4)
  }

  /// The path of a segment in the data directory.
  public func path(ofSegment number: UInt32) -> String {
    "\(directory)/\(Self.fileName(ofSegment: number))"
  }

  /// The order of the numbers, which is the order of the keys.
  @inlinable
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The number of the segment with this file name: four to six digits (Postgres,
  /// `src/backend/access/transam/slru.c`), and more than four only if they are needed.
  static func segmentNumber(fileName: ArraySlice<UInt8>) -> UInt32? {
    guard (4...6).contains(fileName.count), let number = fileName.upperHexadecimal,
      fileName.count == 4 || fileName.first != UInt8(ascii: "0")
    else { return nil }
    return UInt32(number)
  }
}

/// What `pg_xact` says of a transaction: two bits, the lowest of a byte for the first of four.
/// (Postgres, `src/include/access/clog.h`; `src/backend/access/transam/clog.c`)
public enum TransactionStatus: UInt8, Sendable {
  case inProgress = 0
  case committed
  case rolledBack
  /// One within another, whose own state counts.
  case subcommitted

  /// Lower ids are of no transaction, but mean that rows are there for all. (`transam.h`,
  /// `FirstNormalTransactionId`)
  public static let firstID: UInt32 = 3

  /// Where the status of a transaction is: the segment of `pg_xact`, and the byte in it.
  public static func place(of id: UInt32) -> (segmentNumber: UInt32, offset: UInt64) {
    let byte = id / 4
    let segmentByteCount = UInt32(SLRUKind.pagesPerSegment * PageHeader.pageByteCount)
    return (byte / segmentByteCount, UInt64(byte % segmentByteCount))
  }

  /// The status of a transaction in its byte.
  public init(of id: UInt32, in byte: UInt8) {
    guard let status = Self(rawValue: byte >> (id % 4 * 2) & 3) else {
      preconditionFailure("two bits have four values")
    }
    self = status
  }
}
