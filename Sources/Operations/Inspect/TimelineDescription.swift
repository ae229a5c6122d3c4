/// What a timeline is and holds, as `inspect` shows it.
///
/// LSNs are strings as Postgres writes them; a nil field is left out of the object.
public struct TimelineDescription: Codable, Sendable {
  /// All layers of one kind.
  public struct Total: Codable, Sendable, Equatable {
    public var kind: LayerDescription.Kind
    public var layerCount = 0
    /// Bytes of the files.
    public var byteCount: UInt64 = 0
    public var contents = LayerDescription.Contents()

    init(kind: LayerDescription.Kind) { self.kind = kind }
  }

  /// The version of this object's shape: it grows when a field changes its meaning or goes.
  public var schema = 1
  /// Tells this object from that of a backup.
  public var subject = "timeline"

  public var path: String
  /// From the path or the layers; nil if neither has it.
  public var tenantID: String?
  public var timelineID: String?

  /// The generation of the index that is described, the newest.
  public var generation: UInt32
  public var indexVersion: Int
  public var postgresVersion: Int
  public var diskConsistentLSN: String
  public var previousRecordLSN: String?
  /// When it was deleted, as the index says; nil of one that lives.
  public var deletedAt: String?
  public var ancestorTimeline: String?
  public var ancestorLSN: String
  public var latestGCCutoffLSN: String
  public var initdbLSN: String

  /// L0s first, then by key and LSN.
  public var layers: [LayerDescription] = []
  /// One a kind of which there are layers.
  public var totals: [Total] = []
  /// Files in the directory that the index does not name, names escaped.
  public var unnamedFiles: [String] = []

  /// What `--key` asks for.
  public var key: KeyDescription?
  /// What `--layer` asks for.
  public var layerEntries: LayerEntriesDescription?
}

/// A layer of a timeline.
public struct LayerDescription: Codable, Sendable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case level0 = "L0"
    case image
    case delta
  }

  /// The contents between a layer's first page and its index.
  public struct Contents: Codable, Sendable, Equatable {
    /// All values, records among them.
    public var valueCount = 0
    /// Values that are WAL records.
    public var recordCount = 0
    /// Bytes of all values, not compressed.
    public var plainByteCount: UInt64 = 0
    /// Bytes that they take in the file, each value's header included.
    public var storedByteCount: UInt64 = 0

    /// The factor of the compression; nil if there are no values.
    public var compressionRatio: Double? {
      storedByteCount == 0 ? nil : Double(plainByteCount) / Double(storedByteCount)
    }

    mutating func add(_ other: Contents) {
      valueCount += other.valueCount
      recordCount += other.recordCount
      plainByteCount &+= other.plainByteCount
      storedByteCount &+= other.storedByteCount
    }
  }

  /// Its place in the list, from 1.
  public var number: Int
  public var kind: Kind
  /// Without the generation.
  public var name: String
  public var fileName: String
  /// 36 hexadecimal digits each; the end is the first key that is not in the range.
  public var keyStart: String
  public var keyEnd: String
  /// The same in words: `base/16384/16397 blocks 0–131071`.
  public var keys: String
  /// An image layer's LSN, or a delta layer's first.
  public var lsnStart: String
  /// The LSN at the end of a delta layer; nil for an image layer.
  public var lsnEnd: String?
  public var shard: String?
  /// The file's length, as the index says.
  public var byteCount: UInt64
  /// Nil where the layer cannot be read.
  public var contents: Contents?
  /// Why it cannot.
  public var problem: String?
}
