/// A length as messages show it: `1 byte`, `8191 bytes`.
public func byteWords(_ count: some BinaryInteger) -> String {
  "\(count) \(count == 1 ? "byte" : "bytes")"
}
