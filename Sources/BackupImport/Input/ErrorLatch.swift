/// Keeps the first error of a source, and throws it for ever after.
struct ErrorLatch {
  private var error: ImportError?

  /// Does what `body` does, unless that has failed before.
  mutating func run<Result>(
    _ body: () throws(ImportError) -> Result
  ) throws(ImportError) -> Result {
    if let error { throw error }
    do throws(ImportError) {
      return try body()
    } catch {
      self.error = error
      throw error
    }
  }
}
