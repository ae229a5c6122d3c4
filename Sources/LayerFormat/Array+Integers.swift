extension Array where Element == UInt8 {
  /// Appends an integer's bytes, the most significant first.
  @inlinable
  public mutating func appendBigEndian<Integer: FixedWidthInteger>(_ value: Integer) {
    for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// Appends an integer's bytes, the least significant first.
  @inlinable
  public mutating func appendLittleEndian<Integer: FixedWidthInteger>(_ value: Integer) {
    appendBigEndian(value.byteSwapped)
  }
}
