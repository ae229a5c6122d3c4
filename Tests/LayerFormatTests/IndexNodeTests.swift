import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct IndexNodeTests {
  /// A page with these fields, keys and values, followed by zeros.
  private func page(
    count: Int = 3, level: UInt8 = 0, prefix: [UInt8] = [UInt8](repeating: 7, count: 16),
    suffixByteCount: UInt8 = 2, suffixes: [UInt8] = [0, 1, 0, 2, 1, 0],
    values: [UInt8] = [0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF]
  ) -> [UInt8] {
    let fields =
      [UInt8(count >> 8), UInt8(count & 0xFF), level, UInt8(prefix.count), suffixByteCount]
      + prefix + suffixes + values
    return fields + [UInt8](repeating: 0, count: 8192 - fields.count)
  }

  private let children: [UInt8] = [
    0x80, 0, 0, 0, 0, 0x80, 0, 0, 1, 2, 0x80, 0xFF, 0xFF, 0xFF, 0xFF,
  ]

  private func decode(_ page: RawSpan) throws(FormatError) {
    _ = try IndexNode(decoding: page, keyByteCount: 18)
  }

  /// Goal: the fields of a node have the offsets of the format. Method: a leaf and an inner node of
  /// known bytes.
  @Test func knownBytes() throws {
    let keys = [[0, 1], [0, 2], [1, 0]].map { [UInt8](repeating: 7, count: 16) + $0 }
    let leaf = try page().withBytes { page throws(FormatError) in
      try IndexNode(decoding: page, keyByteCount: 18)
    }
    #expect(leaf.count == 3 && leaf.level == 0)
    #expect((0..<3).map(leaf.key(at:)) == keys)
    #expect((0..<3).map(leaf.value(at:)) == [1, 2, IndexTree.valueLimit - 1])
    let inner = try page(level: 2, values: children).withBytes { page throws(FormatError) in
      try IndexNode(decoding: page, keyByteCount: 18)
    }
    #expect(inner.count == 3 && inner.level == 2)
    #expect((0..<3).map(inner.key(at:)) == keys)
    #expect((0..<3).map(inner.child(at:)) == [0, 0x102, .max])
  }

  /// Goal: impossible nodes are refused. Method: break each field of a good node.
  @Test func refusals() {
    expectRefusal("cut off", of: [], by: decode)
    expectRefusal("cut off", of: Array(page().dropLast()), by: decode)
    expectRefusal("cut off", of: page() + [0], by: decode)
    expectRefusal(": 0 keys", of: page(count: 0), by: decode)
    expectRefusal(": 0 keys", of: [UInt8](repeating: 0, count: 8192), by: decode)
    expectRefusal(": 2000 keys", of: page(count: 2000), by: decode)
    expectRefusal(": 65535 keys", of: page(count: 65535), by: decode)
    expectRefusal("suffix 3 bytes", of: page(suffixByteCount: 3), by: decode)
    expectRefusal("suffix 255 bytes", of: page(suffixByteCount: 255), by: decode)
    expectRefusal("prefix 15", of: page(prefix: [UInt8](repeating: 7, count: 15)), by: decode)
    expectRefusal(
      "suffix 0 bytes",
      of: page(
        count: 1, prefix: [UInt8](repeating: 7, count: 18), suffixByteCount: 0, suffixes: [],
        values: [0, 0, 0, 0, 1]), by: decode)
    expectRefusal("not in ascending order", of: page(suffixes: [0, 1, 0, 1, 1, 0]), by: decode)
    expectRefusal("not in ascending order", of: page(suffixes: [0, 1, 1, 0, 0, 2]), by: decode)
    expectRefusal("of level 0 is of the wrong kind", of: page(values: children), by: decode)
    expectRefusal("of level 1 is of the wrong kind", of: page(level: 1), by: decode)
    for mark in [0x81, 0xC0, 0xFF, 0x00] as [UInt8] {
      var values = children
      values[5] = mark
      expectRefusal("wrong kind", of: page(level: 1, values: values), by: decode)
    }
    for offset in [5 + 16 + 3 * 7, 5000, 8191] {
      var page = page()
      page[offset] = 1
      expectRefusal("unused bytes of an index node are not zero", of: page, by: decode)
    }
  }

  /// Goal: keys of the other kind of layer are refused. Method: a good node, read with 26 bytes.
  @Test func otherKeyLength() {
    expectRefusal("impossible", of: page()) { page throws(FormatError) in
      _ = try IndexNode(decoding: page, keyByteCount: 26)
    }
  }

  /// The number of pages that decode as nodes; every key and value of those is read.
  private func readCount(_ pages: some Sequence<[UInt8]>) -> Int {
    var count = 0
    for page in pages {
      let node = page.withBytes { page in try? IndexNode(decoding: page, keyByteCount: 18) }
      guard let node else { continue }
      count += 1
      var last: [UInt8] = []
      for index in 0..<node.count {
        let key = node.key(at: index)
        #expect(key.count == 18 && last.lexicographicallyPrecedes(key))
        last = key
        if node.level == 0 {
          #expect(node.value(at: index) < IndexTree.valueLimit)
        } else {
          _ = node.child(at: index)
        }
      }
    }
    return count
  }

  /// Goal: random pages never trap. Method: 300 pages of random bytes (seed 60) after headers that
  /// are random or correct.
  @Test func randomPages() {
    var generator = SeededGenerator(state: 60)
    let pages = (0..<300).map { index in
      var page = generator.bytes(256) + [UInt8](repeating: 0, count: 8192 - 256)
      if index % 2 == 0 { page.replaceSubrange(0..<5, with: [0, 1, page[2] & 1, 16, 2]) }
      if index % 4 == 0 { page.replaceSubrange(28..., with: repeatElement(0, count: 8192 - 28)) }
      return page
    }
    let count = readCount(pages)
    #expect(count > 0 && count < 150)
  }

  /// Goal: a node with any one bit flipped is refused or can be read, and never traps. Method:
  /// every bit of the header, the prefix, three keys and their values.
  @Test func flippedBits() {
    let good = page()
    let pages = (0..<(5 + 16 + 3 * 7 + 1) * 8).map { bit in
      var page = good
      page[bit / 8] ^= 1 << UInt8(bit % 8)
      return page
    }
    let count = readCount(pages)
    // In the nodes that decode, any prefix is possible, and most bits of keys and values.
    #expect(count >= 16 * 8 && count < pages.count - 5 * 7)
  }
}
