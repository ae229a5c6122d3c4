import PostgresFormat

/// Files that were left out for one reason.
public struct LeftOutFiles: Codable, Sendable {
  /// The reason, in words: `write-ahead log`, `configuration`.
  public var reason: String
  /// How many files.
  public var fileCount: Int
  /// Their length together.
  public var byteCount: UInt64
  /// Up to eight of the names, in the order of the backup, control characters escaped.
  public var names: [String]

  /// Files of the given number, length and names.
  public init(reason: String, fileCount: Int, byteCount: UInt64, names: [String]) {
    self.reason = reason
    self.fileCount = fileCount
    self.byteCount = byteCount
    self.names = names
  }
}

/// What was left out on purpose, by reason.
package struct LeftOutTally: Sendable {
  private var entries: [LeftOutReason: LeftOutFiles] = [:]
  /// The replication slots among it, sorted.
  package private(set) var slots: Set<String> = []

  /// Nothing has been left out yet.
  package init() {}

  /// How many names are kept for each reason.
  package static let namesShown = 8

  /// Counts a file of `byteCount` bytes; `name` is escaped, and kept if it is one of the first.
  package mutating func add(_ name: String, byteCount: UInt64, reason: LeftOutReason) {
    var entry =
      entries[reason]
      ?? LeftOutFiles(reason: reason.rawValue, fileCount: 0, byteCount: 0, names: [])
    entry.fileCount += 1
    entry.byteCount &+= byteCount
    if entry.names.count < Self.namesShown { entry.names.append(name) }
    entries[reason] = entry
  }

  /// Adds a replication slot by its escaped name; a name that was added before changes nothing.
  package mutating func addSlot(_ name: String) {
    slots.insert(name)
  }

  /// Whether the name is among the first of those left out for that reason.
  package func has(_ name: String, for reason: LeftOutReason) -> Bool {
    entries[reason]?.names.contains(name) == true
  }

  /// One entry a reason, sorted by the reason's words.
  package var summary: [LeftOutFiles] {
    entries.values.sorted { $0.reason < $1.reason }
  }
}
