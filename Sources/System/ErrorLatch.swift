/// Keeps the first error of a source, and throws it for ever after.
package struct ErrorLatch {
  private var error: Failure?

  /// A latch that holds no error yet.
  package init() {}

  /// Does what `body` does, unless that has failed before.
  package mutating func run<Result>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if let error { throw error }
    do throws(Failure) {
      return try body()
    } catch {
      self.error = error
      throw error
    }
  }
}
