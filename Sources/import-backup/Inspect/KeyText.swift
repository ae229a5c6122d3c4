import Operations

/// The text about a key: where its value is, and its bytes.
enum KeyText {
  static func lines(_ key: KeyDescription) -> [String] {
    let name = "key \(key.key)"
    let title = key.meaning == name ? name : "\(name): \(key.meaning)"
    let titles = HelpText.wrapped(title, columns: TextTable.columns)
    guard let newest = key.entries.first, let bytes = key.bytes else {
      return titles + ["  not found in any layer"]
    }
    var table = TextTable([
      .left("LSN"), .left(""), .right("offset", rank: 2), .right("stored", rank: 1),
      .right("plain", rank: 3), .left("layer"),
    ])
    for entry in key.entries {
      table.add([
        entry.lsn, entry.isRecord ? "record" : "image", Quantity.grouped(entry.offset),
        Quantity.bytes(entry.storedByteCount), Quantity.bytes(UInt64(entry.plainByteCount)),
        "#\(entry.layerNumber)",
      ])
    }
    var lines = titles + table.lines
    if key.unlistedEntryCount > 0 {
      lines.append(
        "  and \(Quantity.count(key.unlistedEntryCount, "older entry", plural: "older entries"))")
    }
    lines += [""] + dump(bytes)
    let rest = newest.plainByteCount - bytes.utf8.count / 2
    if rest > 0 { lines.append("  and \(Quantity.count(rest, "more byte"))") }
    return lines
  }

  /// A dump of 16 bytes per line, or of 8 or 4 where lines would be too long, from their hexadecimal
  /// digits: offset, bytes, characters.
  ///
  /// Lines that repeat the line before them become one line with an asterisk.
  static func dump(_ digits: String) -> [String] {
    let digits = Array(digits.utf8)
    let byteCount = [16, 8].first { lineWidth($0) <= TextTable.columns } ?? 4
    var lines: [String] = []
    var last: ArraySlice<UInt8> = []
    for start in stride(from: 0, to: digits.count, by: 2 * byteCount) {
      let end = min(start + 2 * byteCount, digits.count)
      let row = digits[start..<end]
      if row.elementsEqual(last) && end < digits.count {
        if lines.last != "  *" { lines.append("  *") }
        continue
      }
      last = row
      lines.append(line(row, of: byteCount, at: start / 2))
    }
    return lines
  }

  /// What the bytes of a line take, with a gap in the middle of 16.
  private static func numbersWidth(_ byteCount: Int) -> Int {
    byteCount * 3 + (byteCount == 16 ? 1 : 0)
  }

  private static func lineWidth(_ byteCount: Int) -> Int {
    "  000000 ".count + numbersWidth(byteCount) + "  ||".count + byteCount
  }

  private static func line(
    _ row: ArraySlice<UInt8>, of byteCount: Int, at offset: Int
  ) -> String {
    let place = String(offset, radix: 16)
    var numbers = ""
    var characters = ""
    for index in stride(from: row.startIndex, to: row.endIndex - 1, by: 2) {
      let pair = String(decoding: row[index...index + 1], as: UTF8.self)
      numbers += (index == row.startIndex + 16 ? "  " : " ") + pair
      let byte = UInt8(pair, radix: 16) ?? 0
      characters += (0x20..<0x7F).contains(byte) ? String(UnicodeScalar(byte)) : "."
    }
    let margin = String(repeating: " ", count: max(0, numbersWidth(byteCount) - numbers.count))
    return "  " + String(repeating: "0", count: max(0, 6 - place.count)) + place + " " + numbers
      + margin + "  |" + characters + "|"
  }
}
