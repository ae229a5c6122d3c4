import Foundation
import LayerFormat
import Operations
import TestSupport
import Testing

/// Malicious layers, read by every command that reads timelines.
///
/// Each case is in an image layer and in the last L0 of an otherwise valid timeline, with the right
/// length in the index: `verify` must list it, the other commands must end with exit code 65.
@Suite(.serialized) struct HostileLayerTests {
  /// A way to damage a layer.
  struct Damage: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var change: @Sendable (inout HostileLayer) throws -> Void

    init(_ name: String, _ change: @escaping @Sendable (inout HostileLayer) throws -> Void) {
      testDescription = name
      self.change = change
    }
  }

  private static func expectRefusal(
    _ damage: Damage, memoryLimit: Int = 64, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    for areImages in [true, false] {
      var timeline = try await HostileTimeline()
      let layers = timeline.layers(areImages: areImages)
      let name = try #require(areImages ? layers.first : layers.last)
      try timeline.change(name, damage.change)
      let key = Key.minimum.description
      // By its name: the order of the list is not what is tried here.
      try await timeline.expect(
        .damagedLayer, memoryLimit: memoryLimit, layer: name.description, key: key,
        "\(damage.testDescription) in an \(areImages ? "image layer" : "L0")",
        sourceLocation: sourceLocation)
    }
  }

  /// Goal: malformed trees are refused: cycles, blocks outside the file, wrong levels, keys and
  /// lengths. Method: replace the nodes of the layer by constructed ones.
  @Test(arguments: trees) func tree(damage: Damage) async throws {
    try await Self.expectRefusal(damage)
  }

  static let trees: [Damage] = [
    Damage("a root that is its own child") { layer in
      layer.nodes.append(layer.inner(level: 1, [(layer.first, 1)]))
    },
    Damage("a child that is its grandparent") { layer in
      layer.nodes.append(layer.inner(level: 1, [(layer.first, 2)]))
      layer.nodes.append(layer.inner(level: 2, [(layer.first, 1)]))
    },
    Damage("255 levels of nodes that lead back") { layer in
      for level in 1...255 {
        layer.nodes.append(layer.inner(level: UInt8(level), [(layer.first, UInt32(level - 1))]))
      }
      layer.nodes[1] = layer.inner(level: 1, [(layer.first, 255)])
    },
    Damage("the same child twice") { layer in
      layer.nodes.append(layer.inner(level: 1, [(layer.first, 0), (layer.last, 0)]))
    },
    Damage("a child after the end of the file") { layer in
      layer.nodes.append(layer.inner(level: 1, [(layer.first, 2)]))
    },
    Damage("the child with the highest number") { layer in
      layer.nodes.append(layer.inner(level: 1, [(layer.first, .max)]))
    },
    Damage("a node without a parent") { layer in layer.nodes.insert(layer.nodes[0], at: 0) },
    Damage("a leaf five levels below its parent") { layer in
      layer.nodes.append(layer.inner(level: 6, [(layer.first, 0)]))
    },
    Damage("a leaf that says it is an inner node") { $0.nodes[0][2] = 1 },
    Damage("an inner node without children") { $0.nodes.append($0.inner(level: 1, [])) },
    Damage("an inner node that says it is a leaf") { layer in
      layer.nodes.append(layer.inner(level: 0, [(layer.first, 0)]))
    },
    Damage("a child under another key") { layer in
      layer.nodes.append(layer.inner(level: 1, [(layer.last, 0)]))
    },
    Damage("children in the wrong order") { layer in
      let middle = layer.entries.count / 2
      layer.nodes = [
        layer.leaf(Array(layer.entries[middle...])), layer.leaf(Array(layer.entries[..<middle])),
      ]
      layer.nodes.append(
        layer.inner(level: 1, [(layer.first, 1), (layer.entries[middle].key, 0)]))
      layer.nodes.swapAt(0, 1)
    },
    Damage("no index at all") { $0.nodes = [] },
    Damage("a leaf without keys") { $0.nodes = [$0.leaf([])] },
    Damage("more keys than fit into a node") {
      $0.nodes[0].replaceSubrange(0..<2, with: [4, 0])
    },
    Damage("65535 keys") { $0.nodes[0].replaceSubrange(0..<2, with: [255, 255]) },
    Damage("a prefix of 255 bytes") { $0.nodes[0][3] = 255 },
    Damage("a prefix as long as the key") { layer in
      layer.nodes[0][3] = UInt8(layer.keyByteCount)
      layer.nodes[0][4] = 0
    },
    Damage("a suffix of 255 bytes") { $0.nodes[0][4] = 255 },
    Damage("a key one byte too short") { $0.nodes[0][4] -= 1 },
    Damage("a key of another kind of layer") { layer in
      layer.nodes[0][4] = UInt8(44 - layer.keyByteCount)
    },
    Damage("keys that descend") { layer in layer.nodes = [layer.leaf(layer.entries.reversed())] },
    Damage("a key twice") { layer in
      layer.nodes = [layer.leaf([layer.entries[0]] + layer.entries)]
    },
    Damage("a key outside of the layer") { layer in
      var entries = layer.entries
      entries[entries.count - 1].key = [UInt8](repeating: 0xFF, count: layer.keyByteCount)
      layer.nodes = [layer.leaf(entries)]
    },
    Damage("no key for the last value") { layer in
      layer.nodes = [layer.leaf(Array(layer.entries.dropLast()))]
    },
    Damage("bytes after the values of a node") { $0.nodes[0][8191] = 1 },
  ]

  /// Goal: no offset or length leads outside the values. Method: change the offset of a value in an
  /// entry, and the length in its header.
  @Test(arguments: values) func value(damage: Damage) async throws {
    try await Self.expectRefusal(damage)
  }

  static let values: [Damage] =
    [0, 1, 8191, 8193, 1 << 20, 1 << 31, (1 << 38) - 1].map { offset in
      Damage("a value at \(offset)") { layer in
        var entries = layer.entries
        entries[0].value = layer.value(at: offset)
        layer.nodes = [layer.leaf(entries)]
      }
    } + [
      Damage("values that overlap") { layer in
        var entries = layer.entries
        entries[1].value = layer.value(at: layer.offset(of: entries[0]) + 1)
        layer.nodes = [layer.leaf(entries)]
      },
      Damage("all values at one place") { layer in
        var entries = layer.entries
        for index in entries.indices { entries[index].value = entries[0].value }
        layer.nodes = [layer.leaf(entries)]
      },
      Damage("an inner node's value in a leaf") { layer in
        var entries = layer.entries
        entries[0].value = 0x80_0000_0000
        layer.nodes = [layer.leaf(entries)]
      },
      Damage("a length beyond the index") { $0.replaceLastBlob([0x8F, 0xFF, 0xFF, 0xFF]) },
      Damage("a length of nothing") { $0.replaceLastBlob([0x80, 0, 0, 0]) },
      Damage("a header that is cut off") { layer in
        layer.replaceLastBlob([])
        var entries = layer.entries
        let end = UInt64(8192 + layer.blobs.count - 1)
        entries[entries.count - 1].value = layer.value(at: end)
        layer.blobs[layer.blobs.count - 1] = 0x80
        layer.nodes = [layer.leaf(entries)]
      },
      Damage("an unknown compression") { $0.replaceLastBlob([0xF0, 0, 0, 2, 1, 2]) },
      Damage("a compressed value without a frame") { $0.replaceLastBlob([0x90, 0, 0, 2, 1, 2]) },
      Damage("padding that is not zeros") { $0.blobs[$0.blobs.count - 1] = 1 },
      Damage("one page too many of padding") {
        $0.blobs += [UInt8](repeating: 0, count: 8192)
      },
    ]

  /// Goal: an empty page is found by all commands that read pages, which `inspect` does not.
  @Test func emptyPage() async throws {
    var timeline = try await HostileTimeline()
    let name = try #require(timeline.layers(areImages: true).first)
    try timeline.change(name) { $0.replaceLastBlob([0]) }
    try await timeline.expect([
      .verify: [1], .inspect: [0], .export: [65], .exportForPageserver: [65],
    ])
  }

  /// Goal: a value that is long, or claims to be, or would be, needs no more memory than the
  /// longest allowed. Method: 2^28 zeros by zstd, with the length in the frame and without, with a
  /// wrong length, and in a second frame; a file with a hole of 300 MiB, and a plain value as long.
  @Test(arguments: bombs) func bomb(damage: Damage) async throws {
    try await Self.expectRefusal(damage, memoryLimit: 192)
  }

  static let bombs: [Damage] = [
    Damage("2^28 bytes, said so") {
      $0.replaceLastBlob(try compressed(1 << 28, "--stream-size=\(1 << 28)"))
    },
    Damage("2^28 bytes, not said so") { $0.replaceLastBlob(try compressed(1 << 28)) },
    Damage("2^28 bytes in a second frame") { layer in
      let small = try frame(1000, "--stream-size=1000")
      layer.replaceLastBlob(blob(small + (try frame(1 << 28))))
    },
    Damage("2^28 bytes that say they are 8192") { layer in
      var bytes = try frame(1 << 28, "--stream-size=\(1 << 28)")
      // The frame's header: magic, descriptor, (window,) size of four bytes, little-endian.
      let size = try #require(bytes.prefix(20).firstRange(of: [0, 0, 0, 0x10]))
      bytes.replaceSubrange(size, with: [0, 0x20, 0, 0])
      layer.replaceLastBlob(blob(bytes))
    },
    Damage("a plain value of 2^28 - 1 bytes") { layer in
      layer.replaceLastBlob([0x8F, 0xFF, 0xFF, 0xFF])
      layer.holeByteCount = 300 << 20
    },
    Damage("a compressed value of 2^28 - 1 bytes") { layer in
      layer.replaceLastBlob([0x9F, 0xFF, 0xFF, 0xFF])
      layer.holeByteCount = 300 << 20
    },
    Damage("a value of 40 MiB") {
      $0.replaceLastBlob(try compressed(40 << 20, "--stream-size=\(40 << 20)"))
    },
  ]

  /// Zeros compressed by zstd.
  private static func frame(_ count: Int, _ option: String = "-q") throws -> [UInt8] {
    try Shell.output(
      "bash", "-c", "head --bytes \(count) /dev/zero | zstd --no-check -q \(option) --stdout")
  }

  private static func blob(_ frame: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    BlobHeader(byteCount: frame.count, isCompressed: true).encode(into: &bytes)
    return bytes + frame
  }

  private static func compressed(_ count: Int, _ option: String = "-q") throws -> [UInt8] {
    blob(try frame(count, option))
  }

  /// Goal: a wrong summary is found. Method: change each of its fields, and the length of the file.
  @Test(arguments: summaries) func summary(damage: Damage) async throws {
    try await Self.expectRefusal(damage)
  }

  static let summaries: [Damage] = fields + lengths

  private static var fields: [Damage] {
    let fields = [
      (0, 2), (4, 16), (20, 16), (36, 18), (54, 18), (72, 8), (80, 4), (84, 4), (88, 4), (92, 4),
    ]
    return fields.flatMap { offset, count in
      [UInt8(0x7F), 1].map { byte in
        Damage("\(byte) in the summary's \(count) bytes at \(offset)") { layer in
          layer.patches.append((UInt64(offset), [UInt8](repeating: byte, count: count)))
        }
      }
    }
  }

  private static var lengths: [Damage] {
    let lengths: [UInt64] = [0, 1, 8191, 8192, 16384, (1 << 20) + 1, 1 << 20, 1 << 43]
    return lengths.map { length in
      Damage("a file of \(length) bytes") { $0.byteCount = length }
    }
  }
}

extension HostileLayer {
  /// The lowest and the highest key.
  var first: [UInt8] { entries[0].key }
  var last: [UInt8] { entries[entries.count - 1].key }
}
