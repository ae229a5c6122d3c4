import Glibc

/// Moving bytes in bulk, which the standard library's spans do not offer yet.
///
/// Every range is checked here, before an address is taken.
extension MutableRawSpan {
  /// Copies all of `source` to `offset`.
  package mutating func copy(_ source: RawSpan, to offset: Int) {
    precondition(offset >= 0 && source.byteCount <= byteCount - offset)
    // Invariant: both ranges are within their spans, and an exclusive span overlaps no other.
    unsafe withUnsafeMutableBytes { target in
      unsafe source.withUnsafeBytes { source in
        guard let from = source.baseAddress, let to = target.baseAddress else {
          return
        }
        unsafe memcpy(to + offset, from, source.count)
      }
    }
  }

  /// Moves bytes within the span; the ranges may overlap.
  package mutating func move(_ range: Range<Int>, to offset: Int) {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    precondition(offset >= 0 && range.count <= byteCount - offset)
    // Invariant: both ranges are within the span.
    unsafe withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      unsafe memmove(base + offset, base + range.lowerBound, range.count)
    }
  }

  /// Sets a range to zeros.
  package mutating func clear(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    // Invariant: the range is within the span.
    unsafe withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      unsafe memset(base + range.lowerBound, 0, range.count)
    }
  }

  /// Stores an integer, the most significant byte first.
  package mutating func storeBigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ value: Integer, at offset: Int
  ) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: Integer.self)
  }
}

extension [UInt8] {
  /// Lends the array's bytes to be changed.
  package mutating func withMutableBytes<Result, Failure: Error>(
    _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var span = mutableSpan
    // Invariant: any byte is a valid `UInt8`.
    var bytes = unsafe span.mutableBytes
    return try body(&bytes)
  }

  /// Copies all of `source` to `offset`.
  package mutating func copy(_ source: RawSpan, to offset: Int) {
    var span = mutableSpan
    // Invariant: any byte is a valid `UInt8`.
    var bytes = unsafe span.mutableBytes
    bytes.copy(source, to: offset)
  }
}

extension RawSpan {
  /// Whether both spans hold the same bytes.
  package func holdsSameBytes(as other: RawSpan) -> Bool {
    guard byteCount == other.byteCount else { return false }
    // Invariant: both buffers are lent for the call and are as long as each other.
    return unsafe withUnsafeBytes { left in
      unsafe other.withUnsafeBytes { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return true }
        return unsafe memcmp(left, right, byteCount) == 0
      }
    }
  }
}

extension OutputRawSpan {
  /// Appends a copy of `bytes`; traps when they do not fit.
  package mutating func append(_ bytes: RawSpan) {
    precondition(bytes.byteCount <= freeCapacity, "no room for the bytes")
    // Invariant: as many bytes as are copied are within both buffers.
    unsafe withUnsafeMutableBytes { buffer, initializedCount in
      unsafe bytes.withUnsafeBytes { source in
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initializedCount...])
        unsafe free.copyMemory(from: source)
        initializedCount += source.count
      }
    }
  }
}
