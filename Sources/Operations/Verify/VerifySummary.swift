import LayerFormat

/// What a verification found: everything that the program prints of it, and the JSON object of
/// `--json`.
public struct VerifySummary: Codable, Sendable {
  /// One thing that is wrong.
  public struct Finding: Codable, Equatable, Sendable {
    /// What is wrong.
    public var code: FindingCode
    /// One line: lower case, no final period.
    public var message: String
    /// The file in the data directory that it is about.
    public var file: String?
    /// The block of the file's relation fork or SLRU segment.
    public var block: UInt32?
    /// The LSN of the page in the timeline.
    public var timelineLSN: String?
    /// The LSN of the page in the backup.
    public var backupLSN: String?
  }

  /// The timeline's directory: its path from the root on, or its URL.
  public var timelinePath = ""
  /// The tenant's id: 32 lower-case hexadecimal digits; nil if neither the path nor a receipt has it.
  public var tenantID: String?
  /// The timeline's id: 32 lower-case hexadecimal digits; nil if neither the path nor a receipt has it.
  public var timelineID: String?
  /// The backup that it was to be compared with, from the root on; `-` for standard input, nil without
  /// one.
  public var backupPath: String?
  /// The receipt that it was compared with, from the root on; nil without one.
  public var receiptPath: String?

  /// How many shards the tenant has; 1 if it is not sharded.
  public var shardCount = 1
  /// How many consecutive blocks of a relation stay on one shard, if there are several.
  public var stripeSize: Int?
  /// The generation of the index that was read; nil if no index could be read, as is everything else
  /// that the index says.
  public var generation: UInt32?
  /// The major version of Postgres, as the index says.
  public var postgresVersion: Int?
  /// The `initdb_lsn` of the index, which is the import LSN of an imported timeline.
  public var importLSN: String?
  /// The `disk_consistent_lsn` of the index, where the next WAL record starts.
  public var endLSN: String?
  /// The `system_identifier` of `pg_control`, in decimal; nil if it could not be read, or a pageserver
  /// has written on the timeline.
  public var systemIdentifier: String?

  /// Layers that the index names.
  public var layerCount = 0
  /// Bytes of all layers.
  public var layerByteCount: UInt64 = 0
  /// Keys that have a value, pages and all others.
  public var keyCount: UInt64 = 0
  /// Pages of relations and SLRUs, 8192 bytes each.
  public var pageCount: UInt64 = 0
  /// Whether a pageserver has written on the timeline, so that only its structure was checked.
  public var isWrittenOn = false
  /// Keys whose newest value is a WAL record, which only a pageserver can replay: not compared.
  public var unreplayedKeyCount: UInt64 = 0
  /// Blocks in a running cluster's base that its WAL removed: dropped, or behind a truncation.
  public var goneKeyCount: UInt64 = 0

  /// Files of the receipt that the timeline's were compared with by size and SHA-256; 0 without one.
  public var comparedFileCount = 0
  /// Whether the timeline was compared with a backup.
  public var isCompared = false
  /// Pages of the backup that were compared.
  public var comparedPageCount: UInt64 = 0

  /// How many things are wrong; the first 20 are listed.
  public var findingCount: UInt64 = 0
  /// The first 20 findings, in the order in which they were found.
  public var findings: [Finding] = []
  /// How long the verification took.
  public var seconds: Double = 0

  /// A summary of nothing yet.
  public init() {}
}

/// What a verification has found so far: the first findings, and how many there are.
struct Findings: Sendable {
  typealias Finding = VerifySummary.Finding

  /// How many findings are kept.
  static let shownCount = 20

  private(set) var shown: [Finding] = []
  private(set) var count: UInt64 = 0

  mutating func add(_ finding: Finding) {
    count += 1
    if shown.count < Self.shownCount { shown.append(finding) }
  }

  mutating func add(_ code: FindingCode, _ message: String) {
    add(Finding(code: code, message: message))
  }

  /// Adds what explains those that are there: it is shown before them.
  mutating func addFirst(_ other: Findings) {
    count += other.count
    shown = Array((other.shown + shown).prefix(Self.shownCount))
  }
}

/// What is wrong with keys and their values.
extension Findings {
  /// Adds what is wrong with a value.
  mutating func add(_ code: FindingCode, about meaning: KeyMeaning, _ message: String) {
    add(Finding(code: code, message: message, file: meaning.file.path, block: meaning.file.block))
  }

  /// Adds what does not follow the grammar of the key space.
  mutating func add(_ fault: KeyspaceFault) {
    add(
      Finding(
        code: FindingCode(fault.problem), message: fault.message, file: fault.file.path,
        block: fault.file.block))
  }
}
