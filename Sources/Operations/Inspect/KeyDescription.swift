/// Where a key's value is, and its bytes.
public struct KeyDescription: Codable, Sendable {
  /// One entry of the key in one layer.
  public struct Entry: Codable, Sendable {
    /// The layer's number in the list of layers, from 1.
    public var layerNumber: Int
    /// The name of the layer's file, its generation included.
    public var layerName: String
    /// The LSN of a value in a delta layer, of the whole layer if it is an image layer.
    public var lsn: String
    /// Whether the value is a WAL record, not an image.
    public var isRecord: Bool
    /// The offset in the file at which the value begins, with its header.
    public var offset: UInt64
    /// The bytes that the value takes in the file, its header included.
    public var storedByteCount: UInt64
    /// The length of the value itself.
    public var plainByteCount: Int
  }

  /// 36 hexadecimal digits.
  public var key: String
  /// What it stands for: `base/5/16384 block 7`.
  public var meaning: String
  /// Whether a pageserver would find the key: false if there are no entries.
  public var isFound = false
  /// What a pageserver reads for the key at the timeline's end: the newest first, up to the first
  /// that needs no older one. Empty if no layer has the key.
  public var entries: [Entry] = []
  /// Entries that were found but are too many to be listed.
  public var unlistedEntryCount = 0
  /// The newest value's bytes as hexadecimal digits, or its first ones if it is long.
  public var bytes: String?
}

/// The entries of one layer, in the order of the keys.
public struct LayerEntriesDescription: Codable, Sendable {
  /// One value of the layer.
  public struct Entry: Codable, Sendable {
    /// The key: 36 hexadecimal digits.
    public var key: String
    /// What the key stands for.
    public var meaning: String
    /// The LSN of a value in a delta layer; nil in an image layer, whose own it is.
    public var lsn: String?
    /// Whether the value is a WAL record, not an image.
    public var isRecord: Bool
    /// The offset in the file at which the value begins, with its header.
    public var offset: UInt64
    /// The bytes that the value takes in the file, its header included.
    public var storedByteCount: UInt64
    /// The length of the value itself.
    public var plainByteCount: Int
  }

  /// The layer's number in the list of layers, from 1.
  public var layerNumber: Int
  /// The name of the layer's file, its generation included.
  public var layerName: String
  /// Every value of the layer; of a delta layer there may be several for a key, by LSN.
  public var entries: [Entry] = []
}
