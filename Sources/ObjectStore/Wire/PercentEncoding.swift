import PostgresFormat

/// How S3 wants paths and queries encoded; its signature covers the result. (AWS, "Create a signed AWS
/// API request", `UriEncode`)
enum PercentEncoding {
  /// A key or another path: slashes stay.
  static func path(_ text: String) -> String { encode(text) { $0 == UInt8(ascii: "/") } }

  /// A name or a value of a query.
  static func query(_ text: String) -> String { encode(text) { _ in false } }

  /// A query as it is signed and sent: sorted, every name with an equals sign.
  static func query(_ query: [(name: String, value: String)]) -> String {
    query.map { (self.query($0.name), self.query($0.value)) }
      .sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  private static func encode(_ text: String, keeping isKept: (UInt8) -> Bool) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isUnreserved(byte) || isKept(byte) {
        bytes.append(byte)
      } else {
        bytes.append(UInt8(ascii: "%"))
        for digit in [byte >> 4, byte & 15] { bytes.append(digit + (digit < 10 ? 0x30 : 0x37)) }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "-._~".utf8.contains(byte)
    }
  }

  /// What a listing with `encoding-type=url` shows: a plus is a space there. What is not encoded
  /// properly stays as it is.
  static func decoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let value = UInt8(hexadecimal: rest.prefix(2)), rest.count >= 2
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
