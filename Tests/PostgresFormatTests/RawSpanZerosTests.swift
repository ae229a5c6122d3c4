import Testing

@testable import PostgresFormat

/// Zeros at the end of bytes.
struct RawSpanZerosTests {
  /// Goal: the zeros at the end are counted. Method: contents of several lengths before zeros of
  /// several lengths.
  @Test func trailingZeros() {
    for meaningful in [0, 1, 7, 8, 9, 100] {
      for zeros in [0, 1, 7, 8, 9, 63] {
        let bytes =
          [UInt8](repeating: 1, count: meaningful) + [UInt8](repeating: 0, count: zeros)
        #expect(bytes.bytes.byteCountBeforeTrailingZeros == meaningful)
      }
    }
  }
}
