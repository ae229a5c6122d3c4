import PostgresFormat
import TestSupport
import Testing

@testable import Backup
@testable import System

/// Streams that are damaged or cut off, each of which is refused, or gives the very same bytes.
@Suite struct DamagedStreamTests {
  private let plain = halfRandomBytes(700, seed: 20)

  /// Goal: a flipped bit is never passed on. Method: every bit of a small stream of two frames; the
  /// stream is read to its end, as from a tar.
  @Test(arguments: Compressor.allCases)
  func everyBitFlipped(compressor: Compressor) throws {
    let stream = try compressor.compress(plain) + compressor.compress([1, 2, 3])
    let expected = plain + [1, 2, 3]
    var refusedCount = 0
    for bit in 0..<stream.count * 8 {
      var damaged = stream
      damaged[bit / 8] ^= 1 << (bit % 8)
      do throws(Failure) {
        let result = try decompressed(damaged)
        // With its magic number gone it is no longer a stream of the format, and no tar either.
        #expect(result == expected || result == damaged, "bit \(bit)")
      } catch {
        #expect(error.exitCode == .damaged || error.exitCode == .unsupported, "bit \(bit)")
        refusedCount += 1
      }
    }
    #expect(refusedCount > stream.count * 7)
  }

  /// Goal: a cut is noticed wherever it is. Method: every length of a small stream of two frames;
  /// only between the frames, where nothing tells, is it complete.
  @Test(arguments: Compressor.allCases)
  func cutAtEveryByte(compressor: Compressor) throws {
    let first = try compressor.compress(plain)
    let stream = try first + compressor.compress([1, 2, 3])
    for count in 6..<stream.count where count != first.count {
      let error = #expect(throws: Failure.self, "cut at \(count)") {
        try decompressed(Array(stream[..<count]))
      }
      #expect(error?.exitCode == .damaged)
      #expect(
        error?.message
          == "cannot read 'test': the \(compressor.formatName) stream is cut off after "
          + "\(count) bytes")
    }
    #expect(try decompressed(Array(stream[..<first.count])) == plain)
  }

  /// Goal: garbage behind the last frame is refused, by the name of garbage. Method: text, a byte, and a stream
  /// of another format.
  @Test(arguments: Compressor.allCases)
  func garbageBehind(compressor: Compressor) throws {
    let stream = try compressor.compress(plain)
    let other = try (compressor == .gzip ? Compressor.xz : .gzip).compress(plain)
    for garbage in [Array("garbage".utf8), [1], other] {
      let error = #expect(throws: Failure.self) { try decompressed(stream + garbage) }
      #expect(error?.code == .compressedStreamDamaged, "\(String(describing: error))")
    }
  }

  /// Goal: what follows an xz stream is padding, another stream, a part of one, or garbage, however short.
  /// Method: each of them, as one piece with the stream, and a byte at a time.
  @Test(arguments: [Compressor.xz, .xzBlocks]) func afterXz(compressor: Compressor) throws {
    let stream = try compressor.compress(plain)
    let zeros = [UInt8](repeating: 0, count: 4)
    func code(_ more: [UInt8]) -> ErrorCode? {
      let codes = [[stream + more], [stream] + more.map { [$0] }].map(Self.code)
      #expect(codes[0] == codes[1], "\(more)")
      return codes[0]
    }
    for count in 0...12 {
      #expect(
        code(.init(repeating: 0, count: count))
          == (count.isMultiple(of: 4) ? nil : .compressedStreamDamaged), "\(count) zeros")
    }
    #expect(try decompressed(stream + zeros + stream + zeros + zeros) == plain + plain)
    for count in 1...11 {
      #expect(code(Array(stream[..<count])) == .backupTruncated, "\(count) bytes")
      #expect(code(zeros + stream[..<count]) == .backupTruncated, "\(count) bytes after zeros")
      #expect(
        code(zeros.dropLast() + stream[..<count]) == .compressedStreamDamaged, "\(count) bytes")
      var changed = Array(stream[..<count])
      changed[min(count, 6) - 1] ^= 1
      #expect(code(changed) == .compressedStreamDamaged, "\(count) bytes, the last changed")
    }
  }

  /// The code of the error that xz bytes give, which come in pieces; nil if they give none.
  private static func code(ofPieces pieces: [[UInt8]]) -> ErrorCode? {
    do throws(Failure) {
      let source = try Backup.decompressed(
        PieceSource(pieces), subject: "'test'", progress: InputProgress())
      let buffer = ByteBuffer(capacity: 10_000)
      repeat { try buffer.fill(from: source) } while buffer.byteCount > 0
      return nil
    } catch {
      return error.code
    }
  }

  /// Goal: lz4 files of the legacy format are refused by name. Method: lz4 -l makes one.
  @Test func legacyLz4() throws {
    let stream = try shell("lz4 -l -c", input: plain)
    let error = #expect(throws: Failure.self) { try decompressed(stream) }
    #expect(error?.exitCode == .damaged)
    #expect(error?.message.contains("legacy") == true)
  }

  /// Goal: damage in a stream that is longer than all buffers reaches the caller of the tar reader,
  /// with the input's name. Method: a tar of several MiB; bits near the middle and the end, and
  /// cuts.
  @Test(arguments: Compressor.allCases)
  func damageFarIn(compressor: Compressor) throws {
    var tar = TarBuilder()
    tar.add("file", contents: halfRandomBytes(6_000_000, seed: 21))
    let options = compressor == .xzBlocks ? "-1 --block-size=1MiB" : "-1"
    let stream = try compressor.compress(tar.archive, options: options)
    for position in [stream.count / 2, stream.count - 3] {
      var damaged = stream
      damaged[position] ^= 0x10
      let error = refusal(of: damaged, readsContents: false)
      #expect(error?.exitCode == .damaged)
      #expect(error?.message.hasPrefix("cannot read 'test'") == true)
      let cut = refusal(of: Array(stream[..<position]), readsContents: false)
      #expect(cut?.message.contains("cut off") == true)
    }
  }
}
