import TestSupport
import Testing

@testable import PostgresFormat

struct CRC32CTests {
  /// Goal: the checksum is CRC-32C. Method: the vectors of RFC 3720, section B.4, and the check
  /// value of the catalogue of CRCs.
  @Test(
    arguments: [
      ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
      (Array(0..<32), 0x46DD_794E),
      (Array((0..<32).reversed()), 0x113F_DB5C),
      (Array("123456789".utf8), 0xE306_9283),
      ([], 0),
    ] as [([UInt8], UInt32)])
  func knownVectors(bytes: [UInt8], expected: UInt32) {
    #expect(crc32c(bytes) == expected)
  }

  /// Goal: it agrees with the definition, however the bytes are split. Method: every length up to
  /// 70 against a bit-by-bit model, and every split of each; and long runs at every alignment, for
  /// which the library has separate code.
  @Test func everySplit() {
    var generator = SeededGenerator(state: 1)
    let bytes = generator.bytes(70)
    for length in 0...bytes.count {
      let run = Array(bytes.prefix(length))
      let expected = naive(run)
      #expect(crc32c(run) == expected)
      for split in 0...length {
        var checksum = CRC32C()
        run.withBytes { bytes in
          checksum.update(bytes.extracting(0..<split))
          checksum.update(bytes.extracting(split..<length))
        }
        #expect(checksum.value == expected, "length \(length), split \(split)")
      }
    }
    let long = generator.bytes(9000)
    for start in 0..<64 {
      let run = start..<start + 8192 + start
      #expect(
        CRC32C.checksum(of: long.bytes.extracting(run)) == naive(Array(long[run])), "from \(start)")
    }
  }

  /// Goal: two joined checksums are the checksum of the joined bytes. Method: runs of any length
  /// followed by zero to nine blocks.
  @Test func joined() {
    var generator = SeededGenerator(state: 2)
    for length in [0, 1, 100, 8192, 20_000] {
      let first = generator.bytes(length)
      for blockCount in 0...9 {
        let second = generator.bytes(blockCount * 8192)
        #expect(
          CRC32C.joined(crc32c(first), crc32c(second), blocksInSecond: UInt32(blockCount))
            == crc32c(first + second), "\(length) bytes and \(blockCount) blocks")
      }
    }
  }

  private func naive(_ bytes: [UInt8]) -> UInt32 {
    var remainder = UInt32.max
    for byte in bytes {
      for bit in 0..<8 {
        let out = remainder & 1 != UInt32(byte >> UInt8(bit)) & 1
        remainder = remainder >> 1 ^ (out ? 0x82F6_3B78 : 0)
      }
    }
    return ~remainder
  }
}
