import FoundationEssentials
import PostgresFormat

/// The one file that says which layers a timeline consists of: `index_part.json`.
///
/// Decoding ignores fields that are not known here, as a pageserver adds some of its own.
/// (Neon, `pageserver/src/tenant/remote_timeline_client/index.rs`; Docs/format.md, Index part)
public struct IndexPart: Codable, Equatable, Sendable {
  /// The version that is written here; older ones that a pageserver left are read as well.
  public static let currentVersion = 15

  /// The name of the index file before its generation.
  public static let filePrefix = "index_part.json"

  /// What the index says of one layer file.
  public struct LayerMetadata: Codable, Equatable, Sendable {
    public var fileSize: UInt64
    public var generation: UInt32
    /// `<shard number><shard count>` in hexadecimal; nil for a tenant that is not sharded.
    public var shard: String?

    public init(fileSize: UInt64, generation: UInt32, shard: String? = nil) {
      self.fileSize = fileSize
      self.generation = generation
      self.shard = shard
    }

    enum CodingKeys: String, CodingKey {
      case fileSize = "file_size"
      case generation, shard
    }
  }

  /// Where the timeline stands in the write-ahead log.
  public struct Metadata: Codable, Equatable, Sendable {
    public var diskConsistentLSN: LogSequenceNumber
    /// The start of the last record before `diskConsistentLSN`; nil where it is not known.
    public var previousRecordLSN: LogSequenceNumber?
    public var ancestorTimeline: String?
    public var ancestorLSN: LogSequenceNumber
    public var latestGCCutoffLSN: LogSequenceNumber
    public var initdbLSN: LogSequenceNumber
    public var postgresVersion: Int

    /// The metadata of an imported timeline: reads begin at the import LSN.
    public init(
      importLSN: LogSequenceNumber, endLSN: LogSequenceNumber,
      previousRecordLSN: LogSequenceNumber?, postgresVersion: Int
    ) {
      diskConsistentLSN = endLSN
      self.previousRecordLSN = previousRecordLSN
      ancestorTimeline = nil
      ancestorLSN = LogSequenceNumber(rawValue: 0)
      latestGCCutoffLSN = importLSN
      initdbLSN = importLSN
      self.postgresVersion = postgresVersion
    }

    enum CodingKeys: String, CodingKey {
      case diskConsistentLSN = "disk_consistent_lsn"
      case previousRecordLSN = "prev_record_lsn"
      case ancestorTimeline = "ancestor_timeline"
      case ancestorLSN = "ancestor_lsn"
      case latestGCCutoffLSN = "latest_gc_cutoff_lsn"
      case initdbLSN = "initdb_lsn"
      case postgresVersion = "pg_version"
    }

    // Written by hand for its nulls: what is synthesised would leave the fields out.
    public func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(diskConsistentLSN, forKey: .diskConsistentLSN)
      try fields.encode(previousRecordLSN, forKey: .previousRecordLSN)
      try fields.encode(ancestorTimeline, forKey: .ancestorTimeline)
      try fields.encode(ancestorLSN, forKey: .ancestorLSN)
      try fields.encode(latestGCCutoffLSN, forKey: .latestGCCutoffLSN)
      try fields.encode(initdbLSN, forKey: .initdbLSN)
      try fields.encode(postgresVersion, forKey: .postgresVersion)
    }
  }

  /// What a pageserver keeps of a timeline's ancestry; an imported one has none.
  public struct Lineage: Codable, Equatable, Sendable {
    public init() {}
  }

  public var version: Int
  /// Layer names without generation to what is known of their files.
  public var layers: [String: LayerMetadata]
  public var diskConsistentLSN: LogSequenceNumber
  public var metadata: Metadata
  public var lineage: Lineage

  public init(layers: [String: LayerMetadata], metadata: Metadata) {
    version = Self.currentVersion
    self.layers = layers
    diskConsistentLSN = metadata.diskConsistentLSN
    self.metadata = metadata
    lineage = Lineage()
  }

  enum CodingKeys: String, CodingKey {
    case version
    case layers = "layer_metadata"
    case diskConsistentLSN = "disk_consistent_lsn"
    case metadata = "metadata_bytes"
    case lineage
  }
}

extension IndexPart {
  /// The file's bytes: keys sorted, so that one timeline has one index.
  public func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self))
    } catch {
      preconditionFailure("strings, integers and nulls are JSON: \(error)")
    }
  }

  /// Reads an index; throws when it is no JSON of this shape or of a version that is not known.
  public init(decoding bytes: [UInt8]) throws(FormatError) {
    do {
      self = try JSONDecoder().decode(IndexPart.self, from: Data(bytes))
    } catch {
      throw .damaged("the index is not JSON of the shape that is expected: \(error)")
    }
    guard version == Self.currentVersion else {
      throw .unsupported("index version \(version) is not \(Self.currentVersion)")
    }
  }

  /// The index file's name for a generation.
  public static func fileName(generation: UInt32) -> String {
    filePrefix + "-" + generation.hexadecimal(8, uppercase: false)
  }

  /// The generation in an index file's name; nil for any other name.
  public static func parse(fileName: String) -> UInt32? {
    guard fileName.hasPrefix(filePrefix + "-") else { return nil }
    return Generation.parse(fileName.dropFirst(filePrefix.count + 1))
  }
}

extension LogSequenceNumber: Codable {
  public init(from decoder: any Decoder) throws {
    let field = try decoder.singleValueContainer()
    let text = try field.decode(String.self)
    guard let lsn = LogSequenceNumber(text) else {
      throw DecodingError.dataCorruptedError(in: field, debugDescription: "'\(text)' is no LSN")
    }
    self = lsn
  }

  public func encode(to encoder: any Encoder) throws {
    var field = encoder.singleValueContainer()
    try field.encode(description)
  }
}
