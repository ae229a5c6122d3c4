import PostgresFormat
import Testing

@testable import LayerFormat

func lsn(_ value: UInt64) -> LogSequenceNumber { LogSequenceNumber(rawValue: value) }

/// The key of 36 hexadecimal digits; anything else fails the test.
func key(_ digits: String) throws -> Key { try #require(Key(digits)) }

/// The bytes of hexadecimal digits, with spaces between them or not.
func bytes(_ hexadecimal: String) throws -> [UInt8] {
  let digits = Array(hexadecimal.utf8.filter { $0 != 0x20 })
  return try stride(from: 0, to: digits.count, by: 2).map { index in
    UInt8(try #require(UInt64(hexadecimal: digits[index..<index + 2])))
  }
}

/// Expects that decoding refuses the bytes, and that the message contains `part`.
func expectRefusal(
  _ part: String, as code: ErrorCode? = nil, of bytes: [UInt8],
  sourceLocation: SourceLocation = #_sourceLocation,
  by decode: (RawSpan) throws(FormatError) -> Void
) {
  do throws(FormatError) {
    try bytes.withBytes(decode)
    Issue.record("nothing is refused", sourceLocation: sourceLocation)
  } catch {
    #expect(error.code == code, sourceLocation: sourceLocation)
    #expect(error.message.contains(part), sourceLocation: sourceLocation)
  }
}

extension Key {
  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    encode(into: &bytes)
    return bytes
  }
}
