import PostgresFormat

extension [UInt8] {
  /// Lends the bytes during the call, also those of an expression.
  public func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let array = self
    return try body(array.bytes)
  }
}
