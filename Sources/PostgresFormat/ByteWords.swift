/// `1 byte`, `8191 bytes`: a length as messages give it.
public func byteWords(_ count: some BinaryInteger) -> String {
  "\(count) \(count == 1 ? "byte" : "bytes")"
}
