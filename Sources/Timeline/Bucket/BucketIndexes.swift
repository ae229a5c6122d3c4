import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// Puts the indexes of one run into a bucket, where others may put theirs, and takes them away again.
final class BucketIndexes {
  /// What has the key of an index once it was put.
  enum Outcome {
    /// This run's index.
    case own(tag: String?)
    /// One with the same bytes that another run has put, as far as the store keeps marks.
    case same(tag: String?, isMarked: Bool)
    /// Another one.
    case other
  }

  private let client: StoreClient
  /// Whether the store honours conditions.
  private let isConditional: Bool
  /// Is kept with each, as far as the store does that; no other run has it.
  private let mark: String
  /// What this run has put, in this order.
  private var own: [(key: String, body: StoredBody)] = []

  init(_ client: StoreClient, isConditional: Bool, markPrefix: String = "") {
    self.client = client
    self.isConditional = isConditional
    mark = markPrefix + UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
  }

  /// Puts an index, unless there is one.
  ///
  /// - Parameter checkHint: what to do if nobody knows whether it is there.
  func put(
    _ body: StoredBody, at key: String, checkHint: String
  ) throws(Failure) -> Outcome {
    do throws(Failure) {
      if !isConditional, let found = try outcome(body, at: key) { return found }
      let result = try client.put(
        key, body.body, sha256: body.sha256, isConditional: isConditional, mark: mark)
      if case .stored(let tag) = result {
        own.append((key, body))
        return .own(tag: tag)
      }
    } catch {
      // The store may have done it all the same.
      var error = error
      do throws(Failure) {
        if case .own(let tag) = try outcome(body, at: key) { return .own(tag: tag) }
      } catch _ {
        error.hint = checkHint
      }
      throw error
    }
    return try outcome(body, at: key) ?? .other
  }

  /// What has the key of an index; nil if there is none.
  private func outcome(_ body: StoredBody, at key: String) throws(Failure) -> Outcome? {
    guard let status = try client.status(of: key) else { return nil }
    if status.mark == mark, status.byteCount == body.byteCount {
      own.append((key, body))
      return .own(tag: status.entityTag)
    }
    guard try client.holds(body, at: key, status) else { return .other }
    return .same(tag: status.entityTag, isMarked: status.mark != nil)
  }

  /// Whether the last index that this run has put is still this run's, as far as the store keeps marks.
  func holdsLast() throws(Failure) -> Bool {
    guard let (key, body) = own.last else { return true }
    return try isOwn(body, at: key)
  }

  private func isOwn(_ body: StoredBody, at key: String) throws(Failure) -> Bool {
    guard let status = try client.status(of: key) else { return false }
    if let other = status.mark { return other == mark && status.byteCount == body.byteCount }
    return try client.holds(body, at: key, status)
  }

  /// Removes every index that this run has put, the last first, and gives the error to throw then.
  func withdraw(after failure: Failure) -> Failure {
    var failure = failure
    do throws(Failure) {
      for (key, body) in own.reversed() where try isOwn(body, at: key) { try client.remove(key) }
    } catch {
      failure.message += "; the indexes of this run could not be removed again: \(error.message)"
      failure.hint =
        "Two indexes may be there. Look with 'import-backup list'. To replace both, import all shards "
        + "at once, without '--only-shards', with '--force' and a higher '--generation'."
    }
    return failure
  }
}
