import FoundationEssentials
import PostgresFormat

/// The one file that says which layers a timeline consists of: `index_part.json`.
///
/// Decoding ignores fields that are not known here, as a pageserver adds some of its own.
/// (Neon, `pageserver/src/tenant/remote_timeline_client/index.rs`; Docs/format.md, Index part)
public struct IndexPart: Codable, Equatable, Sendable {
  /// The only version that is written and read here.
  public static let currentVersion = 15

  /// The name of the index file before its generation.
  public static let filePrefix = "index_part.json"

  /// What the index says of one layer file.
  public struct LayerMetadata: Codable, Equatable, Sendable {
    /// The file's length in bytes.
    public var fileSize: UInt64
    /// The generation in the file's name.
    public var generation: UInt32
    /// `<shard number><shard count>` in hexadecimal; nil for a tenant that is not sharded.
    public var shard: String?

    /// What is said of a file of `fileSize` bytes.
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
    /// Where everything before is in the layers, and the next record starts.
    public var diskConsistentLSN: LogSequenceNumber
    /// The start of the last record before `diskConsistentLSN`; nil where it is not known.
    public var previousRecordLSN: LogSequenceNumber?
    /// The timeline that this one branched off from; nil for one that stands alone.
    public var ancestorTimeline: String?
    /// Where it branched off, else 0.
    public var ancestorLSN: LogSequenceNumber
    /// The first position that can be read.
    public var latestGCCutoffLSN: LogSequenceNumber
    /// Where the cluster's own history begins.
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

    // Both written by hand for the nulls: what is synthesised would leave the fields out, and
    // would take one that is not there for a null.
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
    /// That of a timeline without ancestors.
    public init() {}
  }

  /// The version of the index' shape.
  public var version: Int
  /// When somebody had the timeline deleted, in the pageserver's words; nil where it lives.
  ///
  /// A pageserver that finds it goes on with the deletion, and never serves the timeline. (Neon,
  /// `pageserver/src/tenant/remote_timeline_client.rs`, `MaybeDeletedIndexPart`)
  public var deletedAt: String?
  /// Layer names without generation to what is known of their files.
  public var layers: [String: LayerMetadata]
  /// The same as in the metadata.
  public var diskConsistentLSN: LogSequenceNumber
  /// Where the timeline stands.
  public var metadata: Metadata
  /// Its ancestry.
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
  ///
  /// Memory: some ten times the bytes.
  public init(decoding bytes: [UInt8]) throws(FormatError) {
    try IndexJSONCheck.check(bytes)
    // The version first: what other versions look like is not known.
    let version = try Self.decode(Version.self, from: bytes).version
    guard version == Self.currentVersion else {
      throw .unsupported(
        "index version \(version) is not \(Self.currentVersion), the only one known")
    }
    self = try Self.decode(IndexPart.self, from: bytes)
    guard diskConsistentLSN == metadata.diskConsistentLSN else {
      throw .damaged("the two 'disk_consistent_lsn' of the index differ")
    }
    if let ancestor = metadata.ancestorTimeline, Identifier(ancestor) == nil {
      throw .damaged("the index' ancestor_timeline \(ancestor.quoted) is no timeline's id")
    }
    for shard in layers.values.compactMap(\.shard)
    where shard.utf8.count != 4 || UInt64(hexadecimal: Array(shard.utf8)) == nil {
      throw .damaged("the index has \(shard.quoted) for a shard's number and count")
    }
  }

  private struct Version: Decodable { var version: Int }

  private static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8]
  ) throws(FormatError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
      throw .damaged("the index is not JSON of the shape that is expected: \(reason(error))")
    } catch {
      throw .damaged("the index is not JSON")
    }
  }

  /// The field that a decoder stumbled over and what it says of it.
  private static func reason(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "field \(key.stringValue.quoted) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context),
      .dataCorrupted(let context):
      if let field = context.codingPath.last {
        "field \(field.stringValue.quoted) is not of the right kind"
      } else {
        "it does not parse, or a number in it is out of range"
      }
    @unknown default: "it does not parse"
    }
  }

  /// The index file's name for a generation.
  public static func fileName(generation: UInt32) -> String {
    Generation.fileName(filePrefix, generation: generation)
  }

  /// The generation in an index file's name; nil for any other name.
  public static func parse(fileName: String) -> UInt32? {
    guard let (stem, generation) = Generation.parse(fileName: fileName), stem == filePrefix
    else { return nil }
    return generation
  }
}
