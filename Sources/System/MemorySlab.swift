import Glibc

/// Memory for several buffers in one piece, in huge pages if the system gives them.
///
/// Every page of a backup is written and read here once. With pages of 4 KiB the processor would
/// have to look up where two of them lie for each, in a cache of addresses that all buffers
/// together outgrow. (Linux, `Documentation/admin-guide/mm/transhuge.rst`) What is not touched
/// takes no memory, but for the rest of a huge page.
@safe package final class MemorySlab: @unchecked Sendable {
  // Invariant: allocated in `init` and freed in `deinit` only. What is in it belongs to the
  // buffers, each of which has a part of its own.
  @unsafe package let memory: UnsafeMutableRawBufferPointer

  private static let hugePageByteCount = 2 << 20

  package init(byteCount: Int) {
    let isHuge = byteCount >= Self.hugePageByteCount
    unsafe memory = .allocate(
      byteCount: byteCount, alignment: isHuge ? Self.hugePageByteCount : 4096)
    // A wish: where it is not granted, all is as it would be without.
    if isHuge { unsafe _ = madvise(memory.baseAddress, byteCount, MADV_HUGEPAGE) }
  }

  deinit { unsafe memory.deallocate() }
}
