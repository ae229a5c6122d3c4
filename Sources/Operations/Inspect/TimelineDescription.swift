/// What a timeline is and holds, as `inspect` shows it.
///
/// LSNs are strings as Postgres writes them; a nil field is left out of the object.
public struct TimelineDescription: Codable, Sendable {
  /// All layers of one kind.
  public struct Total: Codable, Sendable, Equatable {
    /// The kind of all these layers.
    public var kind: LayerDescription.Kind
    /// How many layers of the kind the index names.
    public var layerCount = 0
    /// Bytes of the files.
    public var layerByteCount: UInt64 = 0
    /// The contents of those layers that can be read, added up.
    public var contents = LayerDescription.Contents()

    init(kind: LayerDescription.Kind) { self.kind = kind }
  }

  /// Tells this object from that of a backup.
  public var subject = "timeline"

  /// How long the inspection took.
  public var seconds: Double = 0

  /// The timeline's directory, from the root on.
  public var timelinePath: String
  /// The tenant's id: 32 lower-case hexadecimal digits; nil if neither path nor layers have it.
  public var tenantID: String?
  /// The timeline's id: 32 lower-case hexadecimal digits; nil if neither path nor layers have it.
  public var timelineID: String?

  /// The generation of the index that is described, the newest.
  public var generation: UInt32
  /// The version of the format of the index, 15.
  public var indexVersion: Int
  /// The major version of Postgres.
  public var postgresVersion: Int
  /// The `disk_consistent_lsn` of the index: the end of the WAL that the layers contain, where the next
  /// record starts.
  public var endLSN: String
  /// Where the last record before `endLSN` starts; nil if the index does not say.
  public var previousRecordLSN: String?
  /// When it was deleted, as the index says; nil of one that lives.
  public var deletedAt: String?
  /// The id of the timeline that this one was branched from; nil if there is none.
  public var ancestorTimelineID: String?
  /// The LSN of the branch; `0/0` without an ancestor.
  public var ancestorLSN: String
  /// The first LSN that can be read.
  public var latestGCCutoffLSN: String
  /// The `initdb_lsn` of the index: the start of the cluster's own history, which is the import LSN of
  /// an imported timeline.
  public var importLSN: String

  /// In the order of their ids, the shared relations first.
  public var databases: [DatabaseSize] = []
  /// Relations with a main fork.
  public var relationCount = 0
  /// The largest relations, 100 at most, the largest first.
  public var relations: [RelationSize] = []

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
  /// How a layer is read; the raw value is the word in the JSON object.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A delta layer over the whole key space.
    case level0 = "L0"
    /// An image layer: every value of its keys as of one LSN.
    case image
    /// A delta layer over a part of the key space, which only a pageserver writes.
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
  /// Whether it is an L0, an image layer or another delta layer.
  public var kind: Kind
  /// The file's name, its generation included.
  public var name: String
  /// The first key of the layer: 36 hexadecimal digits.
  public var keyStart: String
  /// The first key after the layer: 36 hexadecimal digits.
  public var keyEnd: String
  /// The same in words: `base/16384/16397 blocks 0–131071`.
  public var keys: String
  /// An image layer's LSN, or a delta layer's first.
  public var lsnStart: String
  /// The LSN at the end of a delta layer; nil for an image layer.
  public var lsnEnd: String?
  /// The shard's number and the shard count, two hexadecimal digits each; nil if not sharded.
  public var shard: String?
  /// The file's length, as the index says.
  public var byteCount: UInt64
  /// Nil if the layer cannot be read.
  public var contents: Contents?
  /// Why it cannot: the code of the error.
  public var code: String?
  /// The same in words.
  public var error: String?
}
