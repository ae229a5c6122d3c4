import PostgresFormat
import Testing

@testable import LayerFormat

struct DeltaValueTests {
  private func isImage(_ bytes: [UInt8]) throws(FormatError) -> Bool {
    try bytes.withBytes { bytes throws(FormatError) in try DeltaValue.isImage(bytes) }
  }

  /// Goal: both ways to write an image header give the bytes of the format, which decode as an
  /// image. Method: known bytes for some lengths, in an array and into a span.
  @Test(arguments: [(0, "00"), (1, "01"), (8192, "2000"), (0x0FFF_FFFF, "0FFFFFFF")])
  func imageHeader(byteCount: Int, digits: String) throws {
    let padding = String(repeating: "0", count: 16 - digits.utf8.count)
    let expected = try bytes("00000000" + padding + digits)
    var appended: [UInt8] = [0xEE]
    DeltaValue.encodeImageHeader(byteCount: byteCount, into: &appended)
    #expect(appended == [0xEE] + expected)
    var stored = [UInt8](repeating: 0xEE, count: 16)
    var span = stored.mutableSpan
    // Invariant: every byte of an array of bytes is initialised, and any byte is a value.
    var bytes = unsafe span.mutableBytes
    DeltaValue.storeImageHeader(byteCount: byteCount, in: &bytes, at: 3)
    #expect(stored == [0xEE, 0xEE, 0xEE] + expected + [0xEE])
    if byteCount <= 8192 {
      #expect(try isImage(expected + [UInt8](repeating: 1, count: byteCount)))
    }
  }

  /// Goal: records and images are recognised, and nothing else. Method: known bytes.
  @Test func kinds() throws {
    #expect(try !isImage(try bytes("00000001")))
    #expect(try !isImage(try bytes("00000001 00000000 00")))
    for (digits, part) in [
      ("", "is cut off"), ("000000", "is cut off"), ("00000002", "unknown kind 2"),
      ("FFFFFFFF 00000000 00000000", "unknown kind 4294967295"),
      ("01000000", "unknown kind 16777216"),
      ("00000000", "wrong length"), ("00000000 00000000 000000", "wrong length"),
      ("00000000 00000000 00000001", "wrong length"),
      ("00000000 00000000 00000000 AA", "wrong length"),
      ("00000000 FFFFFFFF FFFFFFFF", "wrong length"),
      ("00000000 80000000 00000000", "wrong length"),
    ] {
      expectRefusal(part, of: try bytes(digits)) { bytes throws(FormatError) in
        _ = try DeltaValue.isImage(bytes)
      }
    }
  }
}
