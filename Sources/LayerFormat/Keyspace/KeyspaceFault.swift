import PostgresFormat

/// One thing in a key space that is not as `Keyspace` says: which key, and what is wrong.
public struct KeyspaceFault: Equatable, Sendable {
  /// What is wrong with the key or its value.
  public enum Problem: Equatable, Sendable {
    /// The grammar has no such key.
    case unknownKey
    /// The key is not above the one before it.
    case outOfOrder
    /// The key is promised, and has no value.
    case missing
    /// These blocks are missing of the fork or segment whose size the key is.
    case missingBlocks(Range<UInt64>)
    /// The key exists, but nothing promises it.
    case unlisted
    /// The list has an element twice.
    case listsTwice
    /// The value's length in bytes is not the one that it must have.
    case wrongByteCount(Int, expected: Int)
    /// The size is above the most blocks that there can be.
    case tooManyBlocks(UInt32, limit: UInt32)
    /// The size is below the number of the blocks that exist.
    case sizeBelowBlocks(UInt32, blockCount: UInt64)
    /// The value cannot be decoded, and why.
    case damaged(String)
    /// With this value the small files exceed `Cluster.smallFileLimit`.
    case exceedsSmallFileLimit
  }

  /// The key that it is about.
  public var key: Key
  /// What is wrong.
  public var problem: Problem

  /// A problem of a key.
  public init(_ key: Key, _ problem: Problem) {
    self.key = key
    self.problem = problem
  }

  /// Whether a cluster can be read all the same: the key does not exist to a pageserver.
  public var isSuperfluousKey: Bool { problem == .unlisted || problem == .unknownKey }

  /// The file in a data directory that it is about, and the block if it is about one.
  public var file: (path: String?, block: UInt32?) {
    let file = key.meaning?.file
    if case .missingBlocks(let blocks) = problem {
      return (file?.path, UInt32(truncatingIfNeeded: blocks.lowerBound))
    }
    return (file?.path, file?.block)
  }

  /// What is wrong in one line: lower case, no final period.
  public var message: String {
    switch problem {
    case .unknownKey: "key \(key) is unknown"
    case .outOfOrder: "\(subject) is out of order"
    case .missing: missing
    case .missingBlocks(let blocks):
      if blocks.count == 1 {
        "block \(blocks.lowerBound) of '\(path)' is missing"
      } else {
        "blocks \(blocks.lowerBound) to \(blocks.upperBound - 1) of '\(path)' are missing"
      }
    case .unlisted: unlisted
    case .listsTwice: "\(subject) lists something twice"
    case .wrongByteCount(let count, let expected):
      "\(subject) has \(count) bytes instead of \(expected)"
    case .tooManyBlocks(let size, let limit):
      "\(subject) is \(size) blocks, more than \(limit)"
    case .sizeBelowBlocks(let size, let blockCount):
      "\(subject) is \(size) blocks, but there are \(blockCount)"
    case .damaged(let reason): "\(subject): \(reason)"
    case .exceedsSmallFileLimit:
      "the small files together exceed \(Cluster.smallFileLimit >> 20) MiB"
    }
  }

  private var subject: String { key.meaning?.words ?? "key \(key)" }
  private var path: String { file.path ?? key.description }

  private var missing: String {
    if case .twoPhaseFile(let id) = key.meaning {
      return "prepared transaction \(id) is listed, but has no file"
    }
    return "\(subject) is missing"
  }

  private var unlisted: String {
    switch key.meaning {
    case .relationMap, .relationDirectory: "\(subject) exists, but no database lists it"
    case .relationSize: "'\(path)' exists, but no relation directory lists it"
    case .slruSegmentSize: "'\(path)' exists, but no directory lists it"
    default: "\(subject) is not listed"
    }
  }
}

extension FormatError {
  /// The fault as an error.
  public init(_ fault: KeyspaceFault) {
    self.init(
      fault.problem == .exceedsSmallFileLimit ? .smallFilesTooLarge : nil, fault.message)
  }
}
