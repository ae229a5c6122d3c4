import LayerFormat
import ObjectStore
import PostgresFormat
import Synchronization
import System

/// Sends layers to a bucket, several at once.
///
/// A key that exists is left as it is: what has the same length and the same SHA-256 is what an earlier
/// run of the same import sent, and anything else is another's.
final class BucketLayers: LayerStore {
  let threadNames: [String]
  private let client: StoreClient
  /// The key of a layer.
  private let key: @Sendable (FinishedLayer) -> String
  private let isConditional: Bool
  /// The error of an object, by its URL, that has a layer's key and is another one.
  private let otherContents: @Sendable (String) -> Failure

  private struct State {
    /// The objects that there were at the beginning, by key.
    var old: [String: ListedObject]
    /// Tags of the objects that the timeline is made of, by key; of some stores there are none.
    var tags: [String: String?] = [:]
    /// What this run has put itself.
    var put: Set<String> = []
    /// Whether it has begun to put anything, of which the answer may have been lost.
    var hasSent = false
    /// Layers that are not to be part of the timeline after all.
    var takenBack: Set<String> = []
  }

  private let state: Mutex<State>

  init(
    _ client: StoreClient, count: Int, isConditional: Bool, old: [ListedObject],
    otherContents: @escaping @Sendable (String) -> Failure,
    key: @escaping @Sendable (FinishedLayer) -> String
  ) {
    self.otherContents = otherContents
    self.client = client
    self.isConditional = isConditional
    self.key = key
    threadNames = (1...count).map { "upload-\($0)" }
    state = Mutex(
      State(old: Dictionary(old.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })))
  }

  /// The tag of an object that was stored, or found there; nil if it was neither, or has none.
  func tag(of key: String) -> String? { state.withLock { $0.tags[key] ?? nil } }

  /// The keys of the objects that this run has surely written.
  var written: Set<String> { state.withLock { $0.put } }

  /// Whether the bucket may hold something that this run has written.
  var hasSent: Bool { state.withLock { $0.hasSent } }

  func store(_ layer: FinishedLayer, sha256: String) throws(Failure) {
    let body = StoredBody.file(layer.file, byteCount: layer.byteCount, sha256: sha256)
    try store(body, at: key(layer))
    try layer.file.close()
  }

  /// Puts an object, unless it is there.
  ///
  /// Throws `.inUse` if another object has the key.
  func store(_ body: StoredBody, at key: String) throws(Failure) {
    let isOld = state.withLock { $0.old[key] != nil }
    if isOld || !isConditional, let tag = try requireSame(body, at: key) {
      return state.withLock { $0.tags[key] = tag }
    }
    state.withLock { $0.hasSent = true }
    let result = try client.put(
      key, body.body, sha256: body.sha256, isConditional: isConditional)
    if case .stored(let tag) = result {
      return state.withLock { state in
        state.tags[key] = tag
        state.put.insert(key)
      }
    }
    // Another run's, or this one's own, whose answer was lost.
    guard let tag = try requireSame(body, at: key) else {
      throw Failure(
        .storeFailed, "\(client.url(of: key).quoted) exists and does not exist",
        hint: "Another program writes to this timeline. Make sure that none does, and try again.")
    }
    state.withLock { $0.tags[key] = tag }
  }

  /// The tag of the object that has a key, which may be nil; nil if there is no object. Throws `.inUse`
  /// if it is another one.
  private func requireSame(_ body: StoredBody, at key: String) throws(Failure) -> String?? {
    guard let status = try client.status(of: key) else { return .none }
    guard try client.holds(body, at: key, status) else {
      throw otherContents(client.url(of: key))
    }
    return .some(status.entityTag)
  }

  /// Says that a layer is not to be part of the timeline. It stays until there is an index: another run of
  /// the same import may be reading it.
  func takeBack(_ layer: FinishedLayer) {
    state.withLock { state in _ = state.takenBack.insert(key(layer)) }
  }

  /// The keys of the layers that are not to be part of the timeline.
  var takenBack: Set<String> { state.withLock { $0.takenBack } }
}

/// The bytes of an object, and what is known of them.
struct StoredBody {
  let body: StoreBody
  let byteCount: UInt64
  let sha256: String

  static func file(_ file: OutputFile, byteCount: UInt64, sha256: String) -> StoredBody {
    StoredBody(
      body: .file(file, byteCount: Int(byteCount)), byteCount: byteCount, sha256: sha256)
  }

  static func bytes(_ bytes: [UInt8]) -> StoredBody {
    var sum = SHA2(.sha256)
    sum.update(bytes.bytes)
    return StoredBody(
      body: .bytes(bytes), byteCount: UInt64(bytes.count), sha256: sum.value.hexadecimal)
  }

  private init(body: StoreBody, byteCount: UInt64, sha256: String) {
    self.body = body
    self.byteCount = byteCount
    self.sha256 = sha256
  }
}

extension StoreClient {
  /// Whether an object has these bytes: read for that if the store does not keep their hash.
  func holds(_ body: StoredBody, at key: String, _ status: ObjectStatus) throws(Failure) -> Bool {
    guard status.byteCount == body.byteCount else { return false }
    if let hash = status.sha256 { return hash == body.sha256 }
    return try hash(of: key, byteCount: status.byteCount) == body.sha256
  }
}
