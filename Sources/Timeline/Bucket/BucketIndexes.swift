import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Puts indexes into a bucket, where others may put theirs.
struct BucketIndexes {
  let client: StoreClient
  /// Whether the store honours conditions.
  let isConditional: Bool
  /// Is kept with each, as far as the store does that.
  let mark: String

  /// Puts an index and gives its tag; nil if there is another one, or for a commit one of another mark.
  ///
  /// - Parameter checkHint: what to do if nobody knows whether it is there.
  func put(
    _ body: StoredBody, at key: String, isCommit: Bool, checkHint: String
  ) throws(Failure) -> String?? {
    let result: PutResult
    do throws(Failure) {
      result = try client.put(
        key, body.body, sha256: body.sha256, isConditional: isConditional, mark: mark)
    } catch {
      // The store may have done it all the same.
      var error = error
      do throws(Failure) {
        if let tag = try tagOfOwn(body, at: key, isCommit: isCommit) { return .some(tag) }
      } catch _ {
        error.hint = checkHint
      }
      throw error
    }
    if case .stored(let tag) = result { return .some(tag) }
    return try tagOfOwn(body, at: key, isCommit: isCommit)
  }

  private func tagOfOwn(
    _ body: StoredBody, at key: String, isCommit: Bool
  ) throws(Failure) -> String?? {
    guard let status = try client.status(of: key),
      try isOwn(status, body, at: key, isCommit: isCommit)
    else { return .none }
    return .some(status.entityTag)
  }

  /// Whether the index that has a key is the one that is put there.
  func isOwn(_ body: StoredBody, at key: String, isCommit: Bool) throws(Failure) -> Bool {
    guard let status = try client.status(of: key) else { return false }
    return try isOwn(status, body, at: key, isCommit: isCommit)
  }

  private func isOwn(
    _ status: ObjectStatus, _ body: StoredBody, at key: String, isCommit: Bool
  ) throws(Failure) -> Bool {
    if isCommit, let other = status.mark {
      return other == mark && status.byteCount == body.byteCount
    }
    return try client.holds(body, at: key, status)
  }

  /// Removes an index, unless it has another mark or other bytes.
  func withdraw(_ body: StoredBody, at key: String) throws(Failure) {
    if try isOwn(body, at: key, isCommit: true) { try client.remove(key) }
  }
}
