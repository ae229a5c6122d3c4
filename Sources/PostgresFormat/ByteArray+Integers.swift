/// The bytes of an array, lent, and integers in them.
extension [UInt8] {
  /// Lends the bytes for the time of the call.
  @inlinable
  public func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Invariant: every byte of an array of bytes is initialised.
    try body(unsafe span.bytes)
  }

  func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Integer.Type = Integer.self
  ) -> Integer {
    withBytes { $0.littleEndian(at: offset, as: type) }
  }

  mutating func setLittleEndian(_ value: some FixedWidthInteger, at offset: Int) {
    for index in 0..<(value.bitWidth / 8) {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }

  /// Appends an integer's bytes, the least significant first.
  @inlinable
  public mutating func appendLittleEndian<Integer: FixedWidthInteger>(_ value: Integer) {
    appendBigEndian(value.byteSwapped)
  }

  /// Appends an integer's bytes, the most significant first.
  @inlinable
  public mutating func appendBigEndian<Integer: FixedWidthInteger>(_ value: Integer) {
    for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}
