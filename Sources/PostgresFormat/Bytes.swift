import CIsal

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

/// Integers of fixed width at any byte offset, in either byte order.
///
/// The only place in this module that loads through a raw address.
extension RawSpan {
  /// The little-endian integer at `offset`; traps if it is not within the span.
  @inlinable
  public func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Integer.Type = Integer.self
  ) -> Integer {
    // Invariant: `unsafeLoadUnaligned(fromByteOffset:as:)` checks its bounds; every bit pattern is
    // a valid fixed-width integer.
    unsafe Integer(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }

  /// The big-endian integer at `offset`; traps if it is not within the span.
  @inlinable
  public func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Integer.Type = Integer.self
  ) -> Integer {
    // Invariant: as above.
    unsafe Integer(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }

  /// A copy of the bytes.
  @inlinable
  public var array: [UInt8] {
    // Invariant: the buffer is valid while the initialiser copies it.
    unsafe withUnsafeBytes { buffer in unsafe [UInt8](buffer) }
  }
}

extension [UInt8] {
  /// The bytes of the array, borrowed.
  @inlinable
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      // Invariant: every byte of an array of bytes is initialised.
      unsafe span.bytes
    }
  }

  /// Appends all bytes of a span.
  @inlinable
  public mutating func append(_ source: RawSpan) {
    // Invariant: the buffer is lent to `append`, which copies it.
    unsafe source.withUnsafeBytes { buffer in unsafe append(contentsOf: buffer) }
  }
}

extension SIMD4<UInt32> {
  /// Four little-endian integers from `offset` on; traps if they are not within the span.
  @inline(__always)
  init(_ bytes: RawSpan, at offset: Int) {
    // Invariant: as above; every bit pattern is a valid vector of integers.
    let lanes = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Self.self)
    self = Self(
      lanes[0].littleEndian, lanes[1].littleEndian, lanes[2].littleEndian, lanes[3].littleEndian)
  }
}

extension RawSpan {
  /// Whether every byte is zero: 0.15 µs for a page of zeros in the cache. (ISA-L,
  /// `mem_routines.h`)
  public var isZero: Bool {
    // Invariant: the buffer is valid during the call; ISA-L reads as many bytes as it has.
    unsafe withUnsafeBytes { buffer in unsafe is_all_zeros(buffer.baseAddress, buffer.count) }
  }
}
