import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// What an object store does, as it shows when it is tried.
///
/// ```
/// PUT If-None-Match: *    a short key                  takes what is written
/// PUT If-None-Match: *    the same, twice at most      412: honours conditions
/// GET                     the same                     the bytes, ETag, Last-Modified
/// PUT                     a key as long as a layer's   takes it
/// DELETE                  both
/// ```
struct BucketProbe {
  /// Whether a conditional PUT of a key that exists is refused.
  private(set) var honoursConditions = false
  /// What keeps a pageserver from reading; nil for nothing.
  private(set) var missingHeader: String?

  /// The beginning of the keys of probes in a timeline's directory.
  static let prefix = "import-probe-"

  /// Tries the store below `directory`, the prefix of a timeline's keys; `longestName` is as long as any.
  ///
  /// Throws `.storeUnsuitable` if the store cannot hold a timeline. Objects that it made are removed, also
  /// when it throws, unless a signal ends it.
  init(_ client: StoreClient, below directory: String, longestName: String) throws(Failure) {
    let name = Self.prefix + UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
    let key = directory + name
    let longKey =
      key + String(repeating: "-", count: max(0, longestName.utf8.count - name.utf8.count))
    do throws(Failure) {
      try self.init(client, name: name, key, longKey)
    } catch {
      for key in Set([key, longKey]) { try? client.remove(key) }
      throw error
    }
  }

  private init(
    _ client: StoreClient, name: String, _ key: String, _ longKey: String
  ) throws(Failure) {
    let body = Array(name.utf8)
    var sum = SHA2(.sha256)
    sum.update(body.bytes)
    let hash = sum.value.hexadecimal
    func put(_ key: String, isConditional: Bool) throws(Failure) -> PutResult {
      try client.put(key, .bytes(body), sha256: hash, isConditional: isConditional)
    }

    if case .unsupported = try put(key, isConditional: true) {
      _ = try put(key, isConditional: false)
    } else {
      // An import of the same timeline that ends now may remove it, once.
      for _ in 1...2 where !honoursConditions {
        if case .exists = try put(key, isConditional: true) { honoursConditions = true }
      }
    }
    var bytes = [UInt8](repeating: 0, count: body.count)
    var piece = try client.get(key, into: &bytes, count: bytes.count, at: 0)
    if piece == nil {
      _ = try put(key, isConditional: false)
      piece = try client.get(key, into: &bytes, count: bytes.count, at: 0)
    }
    guard let piece, piece.byteCount == body.count, bytes == body else {
      throw Failure(
        .storeUnsuitable,
        "the store does not give back what was written to \(client.url(of: key).quoted)",
        hint: "Check that the endpoint is an S3 service that keeps objects.")
    }
    if !piece.hasTime { missingHeader = "Last-Modified" }
    if piece.entityTag == nil { missingHeader = "ETag" }
    try client.remove(key)

    do throws(Failure) {
      _ = try put(longKey, isConditional: false)
    } catch {
      guard error.code == .storeFailed else { throw error }
      throw Failure(
        .storeUnsuitable,
        "the store takes no keys of \(longKey.utf8.count) bytes, as long as those of layers: "
          + error.message,
        hint:
          "Use a shorter prefix, or have the store allow longer keys, as Ceph does with a larger "
          + "'osd_max_object_name_len'.")
    }
    try client.remove(longKey)
  }

  /// What there is to say of a store that ignores conditions; nil if it honours them.
  func weakness(of store: String) -> String? {
    honoursConditions
      ? nil
      : "the store of \(store.quoted) does not honour 'If-None-Match', so that another import or "
        + "publication of the same timeline at the same moment might not be noticed"
  }

  /// Throws `.storeUnsuitable` if no pageserver can read from the store.
  func requireReadable(_ location: StoreLocation) throws(Failure) {
    guard let missingHeader else { return }
    throw Failure(
      .storeUnsuitable,
      "the store of \(location.description.quoted) answers GET without \(missingHeader), and a "
        + "pageserver cannot read from it",
      hint:
        "Have it send that, as the JuiceFS gateway does with '--keep-etag', or write all the same "
        + "with '--allow-any-store'.")
  }
}
