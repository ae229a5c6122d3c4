/// Reads and writes integers in an array of bytes.
extension [UInt8] {
  func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Integer.Type = Integer.self
  ) -> Integer {
    bytes.littleEndian(at: offset, as: type)
  }

  /// Overwrites the bytes from `offset` on with an integer, the least significant byte first.
  package mutating func setLittleEndian(_ value: some FixedWidthInteger, at offset: Int) {
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
