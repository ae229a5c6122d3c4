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

  /// Goal: the steps of eight bytes agree with the definition, however the bytes are cut. Method:
  /// every length up to 70 against a bit-by-bit model, and every split of each.
  ///
  /// This goes the way that the processor allows; the tables are compared with it below.
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
  }

  /// Goal: the processor's instruction and the tables agree, so that it does not matter which of
  /// them a machine has. Method: random lengths at every alignment, from random remainders.
  @Test(.enabled(if: CRC32C.isInHardware, "this processor has no instruction for CRC-32C"))
  func instructionAgreesWithTables() {
    var generator = SeededGenerator(state: 2)
    let bytes = generator.bytes(5000)
    for round in 0..<400 {
      let start = round % 16
      let end = start + Int(generator.next() % UInt64(round < 200 ? 40 : 4900))
      let remainder = UInt32(truncatingIfNeeded: generator.next())
      let run = bytes.bytes.extracting(start..<end)
      #expect(
        CRC32C.hardwareRemainder(remainder, run) == CRC32C.tableRemainder(remainder, run),
        "bytes \(start)..<\(end) from \(remainder)")
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
