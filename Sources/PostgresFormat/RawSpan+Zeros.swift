import CIsal

extension RawSpan {
  /// Whether every byte is zero: 0.15 µs for a page of zeros in the cache. (ISA-L,
  /// `mem_routines.h`)
  public var isZero: Bool {
    // Invariant: the buffer is valid during the call; ISA-L reads as many bytes as it has.
    unsafe withUnsafeBytes { buffer in unsafe is_all_zeros(buffer.baseAddress, buffer.count) }
  }

  /// The number of bytes without the zeros at the end.
  ///
  /// Reads backwards from the end, and at most one page beyond the last byte that is not zero.
  public var byteCountBeforeTrailingZeros: Int {
    var end = byteCount
    for step in [PageHeader.pageByteCount, 64, 1] {
      while end >= step, extracting(end - step..<end).isZero { end -= step }
    }
    return end
  }
}
