import PostgresFormat

@testable import Timeline

/// Every value of a timeline as the lists of the fixtures have them: key, length, CRC-32C.
///
/// Reads with the project's own reader, which is strict on everything; a key that stands in two
/// layers is listed twice.
enum TimelineListing {
  static func lines(of path: String) throws -> [String] {
    let timeline = try Timeline(path: path)
    var lines: [String] = []
    for layer in timeline.layers {
      var reader = try LayerValueReader(try timeline.open(layer))
      var isDone = false
      while !isDone {
        isDone = try !reader.next { stored, value in
          precondition(value.content == .image, "an import writes images only")
          let checksum = CRC32C.checksum(of: value.bytes).hexadecimal(8)
          lines.append("\(stored.entry.key) \(value.bytes.byteCount) \(checksum)")
        }
      }
    }
    return lines.sorted()
  }
}
