import Glibc

/// Memory of a fixed address and size that a source fills and a reader is lent.
///
/// The buffer stays allocated as long as the object lives, so that a pointer into it may be handed
/// to a C library between two fills.
@safe package final class ByteBuffer: @unchecked Sendable {
  // Invariant: the caller that fills or reads a buffer makes sure that no one else does at the
  // time.
  //
  // Invariant: `memory` is in the slab, which lives as long, and in no other buffer; its first
  // `byteCount` bytes are initialised.
  private let memory: UnsafeMutableRawBufferPointer
  private let slab: MemorySlab

  /// How many bytes the last fill put there.
  package private(set) var byteCount = 0

  /// A buffer of its own memory.
  package convenience init(capacity: Int) {
    self.init(in: MemorySlab(byteCount: capacity), 0..<capacity)
  }

  /// A buffer of a part of a slab that no other buffer has; traps if it is not one.
  package init(in slab: MemorySlab, _ range: Range<Int>) {
    self.slab = slab
    unsafe memory = UnsafeMutableRawBufferPointer(rebasing: slab.memory[range])
  }

  /// Replaces the contents with the next bytes of `source`; fewer than the capacity at its end.
  ///
  /// When it throws, the buffer is empty.
  package func fill(from source: any ByteSource) throws(Failure) {
    byteCount = 0
    var output = unsafe OutputRawSpan(buffer: memory, initializedCount: 0)
    try source.fill(&output)
    byteCount = unsafe output.finalize(for: memory)
  }

  /// Lends the bytes to `body`.
  package func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(unsafe RawSpan(_unsafeBytes: contents))
  }

  /// Lends a range of the bytes to `body`, to be read and changed; traps beyond their end.
  package func withMutableBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    // Invariant: the range is within the initialised bytes; the lender ensures exclusive use.
    var bytes = unsafe MutableRawSpan(
      _unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: memory[range]))
    return try body(&bytes)
  }

  /// The bytes, valid until the next fill and as long as the buffer lives.
  @unsafe package var contents: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: memory[..<byteCount])
  }
}

/// Memory for several buffers in one piece, in huge pages if the system gives them.
///
/// Every page of a backup is written and read here once. With pages of 4 KiB the processor would
/// have to look up where two of them lie for each, in a cache of addresses that all buffers
/// together outgrow. (Linux, `Documentation/admin-guide/mm/transhuge.rst`) What is not touched
/// takes no memory, but for the rest of a huge page.
@safe package final class MemorySlab: @unchecked Sendable {
  // Invariant: allocated in `init` and freed in `deinit` only. What is in it belongs to the
  // buffers, each of which has a part of its own.
  /// The whole slab, not initialised.
  @unsafe package let memory: UnsafeMutableRawBufferPointer

  private static let hugePageByteCount = 2 << 20

  /// Allocates `byteCount` bytes: on huge pages, if there are at least 2 MiB of them.
  ///
  /// Ends the process if there is not enough address space.
  package init(byteCount: Int) {
    let isHuge = byteCount >= Self.hugePageByteCount
    unsafe memory = .allocate(
      byteCount: byteCount, alignment: isHuge ? Self.hugePageByteCount : 4096)
    // A wish: if it is not granted, all is as it would be without.
    if isHuge { unsafe _ = madvise(memory.baseAddress, byteCount, MADV_HUGEPAGE) }
  }

  deinit { unsafe memory.deallocate() }
}
