import HTTP
import PostgresFormat
import Synchronization
import System

/// What a bucket says of an object without its bytes.
package struct ObjectStatus: Equatable, Sendable {
  /// Its length.
  package var byteCount: UInt64
  /// What changes when it is written again, without quotes; nil if the store does not say it.
  package var entityTag: String?
  /// The SHA-256 that it was put with; nil if the store does not keep that.
  package var sha256: String?
  /// The mark that it was put with; nil likewise, or if it has none.
  package var mark: String?
}

/// The bytes of an object that is put.
package typealias StoreBody = HTTPRequest.Body

/// What became of an object that was put.
package enum PutResult: Sendable {
  /// It is there.
  case stored(entityTag: String?)
  /// Something has the key: another run's object, or this very one, if an answer was lost.
  case exists
  /// The store has no conditional requests; nothing was written.
  case unsupported
}

extension StoreClient {
  /// The header by which an object tells its SHA-256.
  private static let hashHeader = "x-amz-meta-sha256"
  /// And by which it tells the run that has put it.
  private static let markHeader = "x-amz-meta-import"

  /// What a tag of an object is without the quotes, which only some stores put around it; nil for none.
  static func tag(_ text: String) -> String? {
    let tag = text.filter { $0 != "\"" }
    return tag.isEmpty ? nil : tag
  }

  /// Writes an object by one request, with its SHA-256 beside it: the store refuses other bytes, if it
  /// looks.
  ///
  /// - Parameters:
  ///   - sha256: that of the body, in hexadecimal digits.
  ///   - isConditional: whether an object of that key is left as it is; some stores replace it all the
  ///     same.
  ///   - mark: is kept with the object.
  /// - Returns: `.stored`, unless it is conditional.
  package func put(
    _ key: String, _ body: StoreBody, sha256: String, isConditional: Bool, mark: String? = nil
  ) throws(Failure) -> PutResult {
    var headers = [
      HTTPHeader("Content-Type", "application/octet-stream"), HTTPHeader(Self.hashHeader, sha256),
    ]
    if let mark { headers.append(HTTPHeader(Self.markHeader, mark)) }
    if isConditional { headers.append(HTTPHeader("If-None-Match", "*")) }
    let operation = Operation(
      method: .put, key: key, headers: headers, body: body, payloadHash: sha256, verb: "write")
    let outcome = try perform(operation) { request throws(TransferError) in
      try client.send(request)
    }
    switch outcome {
    case .done(let response): return .stored(entityTag: response["ETag"].flatMap(Self.tag))
    case .refused(let problem, let failure):
      guard isConditional else { throw failure }
      switch problem.kind {
      case .conditionFailed: return .exists
      case .notImplemented: return .unsupported
      default: throw failure
      }
    }
  }

  /// Looks for an object; nil if there is none.
  package func status(of key: String) throws(Failure) -> ObjectStatus? {
    let outcome = try perform(Operation(method: .head, key: key, verb: "look for")) {
      request throws(TransferError) in try client.send(request)
    }
    switch outcome {
    case .done(let response):
      return ObjectStatus(
        byteCount: response["Content-Length"].flatMap { UInt64($0) } ?? 0,
        entityTag: response["ETag"].flatMap(Self.tag), sha256: response[Self.hashHeader],
        mark: response[Self.markHeader])
    case .refused(let problem, let failure):
      guard problem.kind == .noSuchKey else { throw failure }
      return nil
    }
  }

  /// Reads an object of `byteCount` bytes for its SHA-256, in hexadecimal digits.
  package func hash(of key: String, byteCount: UInt64) throws(Failure) -> String {
    var sum = SHA2(.sha256)
    var buffer = [UInt8](repeating: 0, count: Int(min(byteCount, 4 << 20)))
    var offset: UInt64 = 0
    while offset < byteCount {
      let count = Int(min(UInt64(buffer.count), byteCount - offset))
      guard let piece = try get(key, into: &buffer, count: count, at: offset),
        piece.byteCount == count
      else {
        throw Failure(
          .storeFailed, "\(url(of: key).quoted) changed or disappeared while it was read",
          hint: "Another program writes to this timeline. Make sure that none does, and try again.")
      }
      sum.update(buffer.bytes.extracting(0..<count))
      offset += UInt64(count)
    }
    return sum.value.hexadecimal
  }

  /// Removes an object; it is not an error if there is none.
  package func remove(_ key: String) throws(Failure) {
    let outcome = try perform(Operation(method: .delete, key: key, verb: "remove")) {
      request throws(TransferError) in try client.send(request)
    }
    if case .refused(let problem, let failure) = outcome, problem.kind != .noSuchKey {
      throw failure
    }
  }

  /// How many objects are removed at once: each takes a request, and most of its time is waiting.
  private static let removalThreadCount = 8

  /// Removes objects in no order, several at once; throws the first failure, when no more are removed.
  package func remove(_ keys: [String]) throws(Failure) {
    let rest = Mutex(keys[...])
    let failure = Mutex<Failure?>(nil)
    var threads: [NamedThread] = []
    do throws(Failure) {
      for number in 0..<min(Self.removalThreadCount, keys.count) {
        threads.append(
          try NamedThread("remove-\(number + 1)") {
            while let key = rest.withLock({ $0.popFirst() }) {
              do throws(Failure) {
                try self.remove(key)
              } catch {
                rest.withLock { $0 = [] }
                failure.withLock { $0 = $0 ?? error }
              }
            }
          })
      }
    } catch {
      failure.withLock { $0 = error }
    }
    for thread in threads { thread.join() }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }
}
