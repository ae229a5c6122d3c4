import FoundationEssentials
import PostgresFormat

/// The list of the layers of a timeline: `index_part.json`.
///
/// Decoding ignores unknown fields, as a pageserver adds some of its own.
/// (Neon, `pageserver/src/tenant/remote_timeline_client/index.rs`; Docs/format.md, Index part)
public struct IndexPart: Codable, Equatable, Sendable {
  /// The only version that is written and read here.
  public static let currentVersion = 15

  /// The name of the index file before its generation.
  public static let filePrefix = "index_part.json"

  /// What the index says about one layer file.
  public struct LayerMetadata: Codable, Equatable, Sendable {
    /// The length of the file in bytes.
    public var fileSize: UInt64
    /// The generation in the name of the file.
    public var generation: UInt32
    /// `<shard number><shard count>` in hexadecimal; nil if the tenant is not sharded.
    public var shard: String?

    /// The entry for a file of `fileSize` bytes.
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

  /// The timeline's positions in the write-ahead log, its ancestor, and its Postgres version.
  public struct Metadata: Codable, Equatable, Sendable {
    /// The end of the WAL that the layers contain, where the next record starts.
    public var diskConsistentLSN: LogSequenceNumber
    /// The start of the last record before `diskConsistentLSN`; nil if it is unknown.
    public var previousRecordLSN: LogSequenceNumber?
    /// The timeline that this one was branched from; nil if there is none.
    public var ancestorTimeline: String?
    /// The LSN of the branch; 0 without an ancestor.
    public var ancestorLSN: LogSequenceNumber
    /// The first position that can be read.
    public var latestGCCutoffLSN: LogSequenceNumber
    /// The start of the cluster's own history.
    public var initdbLSN: LogSequenceNumber
    /// The major version.
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

    // Both are written by hand because of the nulls: the synthesised methods would omit such a
    // field, and would read a missing field as null.
    /// Reads the fields of `metadata_bytes`; each must be present, also one that is null.
    ///
    /// Throws a `DecodingError` with the field that is missing or has the wrong type.
    public init(from decoder: any Decoder) throws {
      let fields = try decoder.container(keyedBy: CodingKeys.self)
      diskConsistentLSN = try fields.decode(LogSequenceNumber.self, forKey: .diskConsistentLSN)
      previousRecordLSN = try fields.decode(LogSequenceNumber?.self, forKey: .previousRecordLSN)
      ancestorTimeline = try fields.decode(String?.self, forKey: .ancestorTimeline)
      ancestorLSN = try fields.decode(LogSequenceNumber.self, forKey: .ancestorLSN)
      latestGCCutoffLSN = try fields.decode(LogSequenceNumber.self, forKey: .latestGCCutoffLSN)
      initdbLSN = try fields.decode(LogSequenceNumber.self, forKey: .initdbLSN)
      postgresVersion = try fields.decode(Int.self, forKey: .postgresVersion)
    }

    /// Writes all seven fields; nil becomes null.
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

  /// What a pageserver records of a timeline's ancestry; an imported timeline has none.
  public struct Lineage: Codable, Equatable, Sendable {
    /// The lineage of a timeline without ancestors.
    public init() {}
  }

  /// The version of the format of the index.
  public var version: Int
  /// When the timeline was deleted, as the pageserver wrote it; nil unless it was.
  ///
  /// A pageserver that finds this continues the deletion, and never serves the timeline. (Neon,
  /// `pageserver/src/tenant/remote_timeline_client.rs`, `MaybeDeletedIndexPart`)
  public var deletedAt: String?
  /// The layer files, by layer name without generation.
  public var layers: [String: LayerMetadata]
  /// The same value as in the metadata.
  public var diskConsistentLSN: LogSequenceNumber
  /// The positions, ancestor and Postgres version of the timeline.
  public var metadata: Metadata
  /// The timeline's ancestry.
  public var lineage: Lineage

  /// An index of the current version.
  public init(layers: [String: LayerMetadata], metadata: Metadata) {
    version = Self.currentVersion
    self.layers = layers
    diskConsistentLSN = metadata.diskConsistentLSN
    self.metadata = metadata
    lineage = Lineage()
  }

  enum CodingKeys: String, CodingKey {
    case version
    case deletedAt = "deleted_at"
    case layers = "layer_metadata"
    case diskConsistentLSN = "disk_consistent_lsn"
    case metadata = "metadata_bytes"
    case lineage
  }
}

extension IndexPart {
  /// The bytes of the file. Keys are sorted, so that the same timeline gives the same bytes.
  public func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self))
    } catch {
      preconditionFailure("strings, integers and nulls are JSON: \(error)")
    }
  }

  /// Reads an index; throws if it is malformed or of an unknown version.
  ///
  /// Memory: about ten times the bytes.
  public init(decoding bytes: [UInt8]) throws(FormatError) {
    let json = try StrictJSON(bytes, of: "the index")
    // The version first, as the format of other versions is unknown.
    let version = try json.decode(Version.self).version
    guard version == Self.currentVersion else {
      throw FormatError(
        .storageFormatUnsupported,
        "index version \(version) is not supported, only \(Self.currentVersion)")
    }
    self = try json.decode(IndexPart.self)
    guard diskConsistentLSN == metadata.diskConsistentLSN else {
      throw .damaged("the two 'disk_consistent_lsn' fields of the index differ")
    }
    if let ancestor = metadata.ancestorTimeline, Identifier(ancestor) == nil {
      throw .damaged("'ancestor_timeline' of the index is not a timeline id: \(ancestor.quoted)")
    }
    for shard in layers.values.compactMap(\.shard)
    where shard.utf8.count != 4 || UInt64(hexadecimal: Array(shard.utf8)) == nil {
      throw .damaged("a 'shard' of the index is malformed: \(shard.quoted)")
    }
  }

  private struct Version: Decodable { var version: Int }

  /// The name of the index file for a generation.
  public static func fileName(generation: UInt32) -> String {
    Generation.fileName(filePrefix, generation: generation)
  }

  /// The generation in the name of an index file; nil for any other name.
  public static func parse(fileName: String) -> UInt32? {
    guard let (stem, generation) = Generation.parse(fileName: fileName), stem == filePrefix
    else { return nil }
    return generation
  }
}

/// An LSN in JSON: the string exactly as Postgres writes it.
extension LogSequenceNumber: Codable {
  /// Reads an LSN that is written exactly as Postgres writes it; throws a `DecodingError`
  /// otherwise.
  public init(from decoder: any Decoder) throws {
    let field = try decoder.singleValueContainer()
    let text = try field.decode(String.self)
    guard let lsn = LogSequenceNumber(text), lsn.description == text else {
      throw DecodingError.dataCorruptedError(in: field, debugDescription: "'\(text)' is not an LSN")
    }
    self = lsn
  }

  /// Writes the LSN as a string, `0/C84D4E0`. (Neon, `libs/utils/src/lsn.rs`)
  public func encode(to encoder: any Encoder) throws {
    var field = encoder.singleValueContainer()
    try field.encode(description)
  }
}
