import LayerFormat
import PostgresFormat
import System

/// The timelines below a directory, as `list` shows them.
///
/// LSNs are strings as Postgres writes them; a nil field is left out of the object.
public struct TimelineList: Codable, Sendable {
  /// Something that a walk did not enter.
  public struct Skipped: Codable, Sendable, Equatable {
    /// Why a walk did not enter something.
    public enum Code: String, StableCode {
      case symbolicLink = "symbolic-link"
      case notADirectory = "not-a-directory"
      case otherName = "other-name"
      case unreadable

      /// What it means, in full sentences.
      public var meaning: String {
        switch self {
        case .symbolicLink: "It is a symbolic link."
        case .notADirectory: "It is a file, where a tenant's or a timeline's directory should be."
        case .otherName: "Its name is not that of a tenant or a timeline."
        case .unreadable: "It cannot be read: the reason says why."
        }
      }

      /// The reason in words; of what cannot be read, the error says it.
      fileprivate var words: String {
        switch self {
        case .symbolicLink: "it is a symbolic link"
        case .notADirectory: "it is not a directory"
        case .otherName: "it is not named after a tenant or a timeline"
        case .unreadable: "it cannot be read"
        }
      }
    }

    /// Why.
    public var code: Code
    /// Its path or URL, control characters escaped.
    public var path: String
    /// Why, in words: `it is a symbolic link`.
    public var reason: String

    fileprivate init(_ path: String, _ code: Code, because error: Failure?) {
      self.code = code
      self.path = escaped(path.utf8)
      reason = error?.message ?? code.words
    }
  }

  /// How long it took.
  public var seconds: Double = 0
  /// The directory that was listed, absolute and without links, or its URL.
  public var path: String
  /// By tenant, shard and timeline.
  public var timelines: [ListedTimeline] = []
  /// How many names are where tenants or timelines should be and are none.
  public var skippedCount = 0
  /// The first of these, eight at most.
  public var skipped: [Skipped] = []

  private static let skippedLimit = 8

  /// An empty list of what is at this path or URL.
  init(of path: String) { self.path = escaped(path.utf8) }

  /// Notes what a walk did not enter.
  mutating func skip(_ path: String, _ code: Skipped.Code, because error: Failure? = nil) {
    skippedCount += 1
    guard skipped.count < Self.skippedLimit else { return }
    skipped.append(Skipped(path, code, because: error))
  }
}

/// A timeline's directory.
public struct ListedTimeline: Codable, Sendable {
  /// What can be said of the timeline as a whole; the raw value is the word in the JSON object.
  public enum State: String, Codable, Sendable, CaseIterable {
    /// It has an index, and every layer that the index names, of the size that it gives.
    case complete
    /// It has no index: an import was interrupted, or has left an empty directory.
    case unfinished
    /// It is complete but for its index, which waits for `publish`.
    case unpublished
    /// An import is writing to it.
    case locked
    /// It is complete, and an import is writing what will replace it.
    case replacing
    /// A pageserver has deleted it, and would go on if it found it.
    case deleted
    /// The newest index or a layer is not what it has to be.
    case damaged
    /// The directory or the newest index cannot be read.
    case unreadable
  }

  /// Files of a timeline's directory that the newest index does not name.
  public struct Leftover: Codable, Sendable, Equatable {
    /// What files they are; the raw value is the word in the JSON object.
    public enum Code: String, StableCode {
      /// A running import's, or an interrupted one's.
      case temporaryFile = "temporary-file"
      /// Layers that no read comes to.
      case unlistedLayer = "unlisted-layer"
      /// Indexes of lower generations.
      case olderIndex = "older-index"
      /// Anything else.
      case otherFile = "other-file"

      /// What they are, in full sentences.
      public var meaning: String {
        switch self {
        case .temporaryFile: "Temporary files of an import, which is running or was interrupted."
        case .unlistedLayer: "Layers that the newest index does not name: nothing reads them."
        case .olderIndex: "Indexes of older generations."
        case .otherFile: "Any other files or directories."
        }
      }
    }

    /// What files they are.
    public var code: Code
    /// How many.
    public var fileCount = 0
    /// Their length together.
    public var byteCount: UInt64 = 0
    /// The first of their names, eight at most, control characters escaped.
    public var names: [String] = []
  }

  /// The directory, absolute and without links, or its URL.
  public var timelinePath: String
  /// The tenant's id: 32 lower-case hexadecimal digits; nil if the path does not have it.
  public var tenantID: String?
  /// The shard's number and the shard count, two hexadecimal digits each; nil if not sharded, or if
  /// all shards are shown as one.
  public var shard: String?
  /// How many shards the tenant has; 1 if it is not sharded.
  public var shardCount: Int
  /// The timeline's id: 32 lower-case hexadecimal digits; nil if the path does not have it.
  public var timelineID: String?
  /// What can be said of it as a whole.
  public var state: State
  /// Why it is damaged, cannot be read or cannot be published yet: the code of the error.
  public var code: String?
  /// The same in words.
  public var error: String?
  /// The generation of the newest index, the highest; nil if there is none.
  public var generation: UInt32?
  /// The major version of Postgres.
  public var postgresVersion: Int?
  /// The import LSN of an imported timeline: `initdb_lsn` of the index.
  public var importLSN: String?
  /// The end of the WAL that the layers contain, where the next record starts.
  public var endLSN: String?
  /// How many layers the index names.
  public var layerCount: Int?
  /// Bytes of these layers, as the index says.
  public var layerByteCount: UInt64?
  /// When it was deleted, as the index says; nil of one that lives.
  public var deletedAt: String?
  /// What else is in the directory, one a kind.
  public var leftovers: [Leftover] = []
}

extension ListedTimeline {
  /// One of which no more is known than where it is.
  init(_ path: String, of tenant: TenantName?, timeline: Identifier?) {
    self.init(
      timelinePath: escaped(path.utf8), tenantID: tenant?.id.description, shard: tenant?.shard,
      shardCount: tenant?.shard.flatMap { ShardID($0) }?.count ?? 1,
      timelineID: timeline?.description, state: .unfinished)
  }

  /// What is above `tenants` in its path or URL; all of it if that has another form.
  public var root: String {
    let names = timelinePath.split(separator: "/", omittingEmptySubsequences: false)
    guard names.count >= 4, names[names.count - 4] == "tenants" else { return timelinePath }
    return names.dropLast(4).joined(separator: "/")
  }
}

extension TimelineList {
  /// The error to end with if a timeline is damaged or cannot be read; nil if all are sound.
  public var failure: Failure? {
    let broken = timelines.filter { [.damaged, .unreadable].contains($0.state) }
    guard let first = broken.first(where: { $0.state == .damaged }) ?? broken.first,
      let code = first.code.flatMap(ErrorCode.init(rawValue:))
    else { return nil }
    let verb = first.state == .damaged ? "damaged" : "unreadable"
    let subject = "timeline \(first.timelinePath.quoted) is \(verb): \(first.error ?? "")"
    let others = broken.count - 1
    let more =
      others == 0
      ? "" : others == 1 ? " (and 1 other timeline)" : " (and \(others) other timelines)"
    return Failure(code, subject + more)
  }
}
