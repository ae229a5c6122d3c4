import TestSupport
import Testing

@testable import Backup
@testable import System

/// A compressor as Debian has it, and what a test needs to know of its format.
enum Compressor: String, CaseIterable, CustomTestStringConvertible {
  case gzip = "gzip -c"
  case xz = "xz -c"
  /// Blocks with their sizes, which are decoded at the same time.
  case xzBlocks = "xz -T2 --block-size=300 -c"
  case zstd = "zstd --check -c"
  case lz4 = "lz4 -c"

  var testDescription: String { rawValue }

  var formatName: String { String(rawValue.prefix { $0 != " " }) }

  /// Whether zeros may follow a stream.
  var hasPadding: Bool { formatName == "gzip" || formatName == "xz" }

  func compress(_ bytes: [UInt8], options: String = "") throws -> [UInt8] {
    try shell("\(rawValue) \(options)", input: bytes)
  }
}

/// All that the decompression stage gives, read in pieces of `pieceSize` bytes.
func decompressed(_ bytes: [UInt8], pieceSize: Int = 10_000) throws(Failure) -> [UInt8] {
  let source = try decompressed(
    MemorySource(bytes), subject: "'test'", progress: InputProgress())
  let buffer = ByteBuffer(capacity: pieceSize)
  var result: [UInt8] = []
  repeat {
    try buffer.fill(from: source)
    buffer.withBytes { bytes in result += unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
  } while buffer.byteCount == pieceSize
  return result
}

/// Streams as the compressors make them.
@Suite struct CompressionTests {
  /// Goal: what was compressed comes out, through output buffers of any size. Method: sizes around
  /// the buffers', and pieces from a single byte on.
  @Test(arguments: Compressor.allCases)
  func roundTrip(compressor: Compressor) throws {
    for size in [0, 1, 70_000, 1 << 20] {
      let bytes = halfRandomBytes(size, seed: 10)
      let compressed = try compressor.compress(bytes)
      #expect(try decompressed(compressed) == bytes, "\(size)")
    }
    let bytes = halfRandomBytes(5000, seed: 11)
    let compressed = try compressor.compress(bytes)
    for pieceSize in [1, 2, 3, 7, 100, 4999, 5000, 5001] {
      #expect(try decompressed(compressed, pieceSize: pieceSize) == bytes, "\(pieceSize)")
    }
  }

  /// Goal: every setting of the compressors is read. Method: the ones that change the stream's
  /// shape.
  @Test(arguments: [
    (Compressor.gzip, "-1"), (.gzip, "-9"), (.xz, "-0"), (.xz, "-9e"), (.xz, "--check=none"),
    (.xz, "--check=crc32"), (.xz, "--check=sha256"), (.xz, "--block-size=100000"),
    (.xz, "-T2 --block-size=100000"), (.xz, "-T2 --check=none --block-size=64KiB"),
    (.xz, "-T2 -9 --block-list=1,300000,5"), (.zstd, "-1"),
    (.zstd, "--ultra -22 --long=27"), (.zstd, "--no-check"), (.zstd, "--fast=5"),
    (.lz4, "-9"), (.lz4, "-B4"), (.lz4, "-BD"), (.lz4, "-BX"), (.lz4, "--no-frame-crc"),
    (.lz4, "--content-size"),
  ])
  func settings(compressor: Compressor, options: String) throws {
    let bytes = halfRandomBytes(400_000, seed: 12)
    #expect(try decompressed(compressor.compress(bytes, options: options)) == bytes)
  }

  /// Goal: frames that follow one another are one stream. Method: three, the middle one empty;
  /// skippable frames before, between and behind where the format has them; padding for gzip and
  /// xz.
  @Test(arguments: Compressor.allCases)
  func severalFrames(compressor: Compressor) throws {
    let first = halfRandomBytes(300_000, seed: 13)
    let second = halfRandomBytes(1000, seed: 14)
    let frames = try [first, [], second].map { try compressor.compress($0) }
    #expect(try decompressed(Array(frames.joined())) == first + second)
    let filler: [UInt8] =
      switch compressor {
      case .zstd, .lz4: [0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]
      case .gzip, .xz, .xzBlocks: []
      }
    #expect(
      try decompressed(filler + frames[0] + filler + frames[2] + filler) == first + second)
    if compressor.hasPadding {
      let padding = [UInt8](repeating: 0, count: 400_000)
      #expect(try decompressed(frames[0] + padding) == first)
      #expect(throws: Failure.self) { try decompressed(frames[0] + padding + [1, 1, 1, 1]) }
    }
  }

  /// Goal: a compressed stream within a compressed stream is not unwrapped. Method: compress twice;
  /// it is no tar.
  @Test func onceOnly() throws {
    let inner = try Compressor.gzip.compress(halfRandomBytes(2000, seed: 15))
    let outer = try Compressor.zstd.compress(inner)
    #expect(try decompressed(outer) == inner)
    #expect(refusal(of: outer)?.message == "cannot read 'test': it is not a tar archive")
  }

  /// Goal: a compressed tar is read like a plain one. Method: the same members, and the progress in
  /// compressed bytes.
  @Test(arguments: Compressor.allCases)
  func compressedTar(compressor: Compressor) throws {
    var tar = TarBuilder()
    for number in 0..<20 {
      tar.add("\(number)", contents: halfRandomBytes(number * 10_000, seed: UInt64(number)))
    }
    let compressed = try compressor.compress(tar.archive)
    let reader = try TarReader(source: MemorySource(compressed), name: "test")
    #expect(reader.isCompressed)
    #expect(try readAll(reader) == readAll(tar.archive))
    #expect(reader.inputBytesRead == UInt64(compressed.count))
  }

  /// Goal: the memory that a stream asks for is bounded. Method: a zstd window of 2 GiB and an xz
  /// dictionary of 512 MiB are refused with a hint, before anything is decoded.
  @Test func windowIsBounded() throws {
    let zstd = try shell("zstd --ultra --long=31 -c", input: [1, 2, 3])
    let xz = try shell("xz -c --lzma2=dict=512MiB", input: [1, 2, 3])
    let xzBlock = try shell("xz -T2 -c --lzma2=dict=512MiB", input: [1, 2, 3])
    for stream in [zstd, xz, xzBlock] {
      let error = #expect(throws: Failure.self) { try decompressed(stream) }
      #expect(error?.exitCode == .unsupported)
      #expect(error?.hint != nil)
    }
  }
}
