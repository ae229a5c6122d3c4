import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct IndexTreeBuilderTests {
  /// The kinds of keys in a sweep.
  enum Keys: CaseIterable {
    /// The blocks of one relation: all bytes but the last are shared.
    case blocks
    /// Keys without a common byte in any node.
    case unshared
    /// Short runs of blocks of many relations: a prefix that ends before its node is full.
    case runs
    /// Any bytes, sorted (seed 50).
    case random

    /// `count` keys of 18 bytes, or of 26 with an LSN at the end.
    func make(_ count: Int, byteCount: Int) -> [[UInt8]] {
      var generator = SeededGenerator(state: 50)
      let keys: [[UInt8]] =
        switch self {
        case .blocks:
          (0..<count).map { index in
            Key(.init(databaseID: 5, relationNumber: 16384, fork: .main), block: UInt32(index))
              .encoded
          }
        case .unshared:
          (0..<count).map { index in
            let lead = UInt16(index * 65536 / count)
            return [UInt8(lead >> 8), UInt8(lead & 0xFF)]
              + Key(0, 0, 0, 0, 0, UInt32(index)).encoded.suffix(16)
          }
        case .runs:
          (0..<count).map { index in
            Key(
              .init(databaseID: 5, relationNumber: UInt32(1000 + index / 700), fork: .main),
              block: UInt32(index % 700)
            ).encoded
          }
        case .random:
          (0..<count).map { _ in generator.bytes(18) }.sorted { $0.lexicographicallyPrecedes($1) }
        }
      return byteCount == 18 ? keys : keys.map { $0 + [0, 0, 0, 0, 5, 5, 0x71, 0x88] }
    }
  }

  /// Values that use all of their 39 bits.
  private func value(_ index: Int) -> UInt64 {
    UInt64(index) &* 0x9E37_79B9_7F4A_7C15 % IndexTree.valueLimit
  }

  /// Finishes a builder with the first `count` keys, compares its pages with the model, and reads
  /// them back.
  private func check(_ builder: IndexTreeBuilder, _ keys: [[UInt8]]) throws -> IndexContents {
    var builder = builder
    let values = keys.indices.map(value)
    #expect(builder.count == keys.count)
    let root = builder.finish()
    let model = NaiveIndex(keys: keys, values: values)
    #expect(Array(builder.pieces.joined()) == model.blocks(), "\(keys.count) keys")
    #expect(builder.byteCount == builder.pieces.joined().count)
    let contents = try IndexContents(
      blocks: Array(builder.pieces.joined()), root: root, keyByteCount: keys[0].count)
    #expect(contents.keys == keys && contents.values == values, "\(keys.count) keys")
    #expect(contents.nodeCount * IndexTree.nodeByteCount == builder.pieces.joined().count)
    #expect(Int(root) == contents.nodeCount - 1)
    #expect(contents.levelCount == model.levelCount)
    return contents
  }

  /// Goal: around each full leaf, the nodes are those of the model. Method: for every kind of keys
  /// and both lengths, all counts around the first three ends of a leaf, around the count at which
  /// a leaf is full without its prefix, and some small ones.
  @Test(arguments: Keys.allCases, [18, 26]) func fullLeaves(kind: Keys, byteCount: Int) throws {
    let keys = kind.make(4000, byteCount: byteCount)
    let model = NaiveIndex(keys: keys, values: keys.indices.map(value))
    let plainCapacity = 8186 / (byteCount + 5)
    let ends = [2, plainCapacity] + model.leafStarts.prefix(3)
    let counts = Set(ends.flatMap { $0 - 1...$0 + 2 })
    var builder = IndexTreeBuilder(ofImageLayer: byteCount == 18)
    for (index, key) in keys.enumerated() {
      builder.append(IndexKey(bytes: key), value: value(index))
      guard counts.contains(index + 1) else { continue }
      let contents = try check(builder, Array(keys[...index]))
      #expect(contents.levelCount == (index < model.leafStarts[0] ? 1 : 2))
    }
    #expect(model.leafStarts[0] == plainCapacity || kind != .unshared)
    #expect(model.leafStarts[0] > 2 * plainCapacity || kind != .blocks)
  }

  /// Goal: the tree grows from two levels to three at the right count. Method: the model gives the
  /// count; build that and its neighbours, for both lengths of keys.
  @Test(arguments: [(18, 140_000), (26, 80_000)])
  func threeLevels(byteCount: Int, count: Int) throws {
    let keys = Keys.random.make(count, byteCount: byteCount)
    let model = NaiveIndex(keys: keys, values: keys.indices.map(value))
    let first = try #require(model.firstCountOfThreeLevels)
    var builder = IndexTreeBuilder(ofImageLayer: byteCount == 18)
    for (index, key) in keys[...first].enumerated() {
      builder.append(IndexKey(bytes: key), value: value(index))
      guard index + 1 >= first - 1 else { continue }
      let contents = try check(builder, Array(keys[...index]))
      #expect(contents.levelCount == (index + 1 < first ? 2 : 3))
    }
  }

  /// Goal: the size reported while keys are added is an upper limit. Method: after every key of two
  /// levels, compare with a finished copy at each change.
  @Test func byteCountWhileBuilding() {
    var builder = IndexTreeBuilder(ofImageLayer: true)
    var last = 0
    for (index, key) in Keys.blocks.make(4000, byteCount: 18).enumerated() {
      builder.append(IndexKey(bytes: key), value: value(index))
      guard builder.byteCount != last else { continue }
      last = builder.byteCount
      var finished = builder
      _ = finished.finish()
      #expect(finished.pieces.joined().count == last, "\(index + 1) keys")
    }
    #expect(last > 3 * IndexTree.nodeByteCount)
  }

  /// Goal: keys out of order or with an LSN too many, values that are too large, and empty indexes
  /// trap. Method: each in a process of its own.
  @Test func misuse() async {
    await #expect(processExitsWith: .failure) {
      var builder = IndexTreeBuilder(ofImageLayer: true)
      builder.append(IndexKey(.minimum), value: 0)
      builder.append(IndexKey(.minimum), value: 1)
    }
    await #expect(processExitsWith: .failure) {
      var builder = IndexTreeBuilder(ofImageLayer: true)
      builder.append(IndexKey(.minimum, at: LogSequenceNumber(rawValue: 1)), value: 0)
    }
    await #expect(processExitsWith: .failure) {
      var builder = IndexTreeBuilder(ofImageLayer: true)
      builder.append(IndexKey(.minimum), value: 1 << 39)
    }
    await #expect(processExitsWith: .failure) {
      var builder = IndexTreeBuilder(ofImageLayer: true)
      _ = builder.finish()
    }
  }
}
