/// The blocks of one relation fork or SLRU segment as they turn up, which must be all from 0 up to
/// the size.
struct BlockRun: Sendable {
  /// The key of the size, which comes after the blocks.
  let sizeKey: Key
  /// Whether a list promises the fork or segment.
  let isListed: Bool

  private var nextBlock: UInt64 = 0
  /// The key of the block after the last one; nil before the first, and after the last that can be.
  private(set) var nextKey: Key?

  init(sizeKey: Key, isListed: Bool) {
    self.sizeKey = sizeKey
    self.isListed = isListed
  }

  /// Takes the block whose key is `nextKey`.
  mutating func takeNext(_ key: Key) {
    nextBlock += 1
    nextKey = Self.block(after: key)
  }

  /// Takes any block that is not below the last one.
  mutating func take(_ key: Key, _ block: UInt32, _ report: (KeyspaceFault) -> Void) {
    if UInt64(block) > nextBlock {
      report(KeyspaceFault(sizeKey, .missingBlocks(nextBlock..<UInt64(block))))
    }
    nextBlock = UInt64(block) + 1
    nextKey = Self.block(after: key)
  }

  /// Reports blocks that do not fit the size.
  func finish(size: UInt32, _ report: (KeyspaceFault) -> Void) {
    if nextBlock < size {
      report(KeyspaceFault(sizeKey, .missingBlocks(nextBlock..<UInt64(size))))
    }
    if nextBlock > size {
      report(KeyspaceFault(sizeKey, .sizeBelowBlocks(size, blockCount: nextBlock)))
    }
  }

  private static func block(after key: Key) -> Key? {
    let next = key.next
    return next.field6 == Key.sizeField ? nil : next
  }
}
