/// Numbers as text for people.
enum Quantity {
  /// `1 relation`, `12,345 relations`; `plural` is for nouns whose plural does not end in s.
  static func count(_ number: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
    "\(grouped(number)) \(number == 1 ? noun : plural ?? noun + "s")"
  }

  /// `1,234,567`.
  static func grouped(_ number: some BinaryInteger) -> String {
    let digits = Array(number.magnitude.description)
    var result = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return result
  }

  /// `17 bytes`, `140.4 MiB`: one decimal, powers of 1024.
  static func bytes(_ number: UInt64) -> String {
    if number < 1024 { return count(number, "byte") }
    var value = Double(number) / 1024
    var units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
    // A value that would be rounded to 1024.0 is 1.0 of the next unit.
    while value >= 1023.95, units.count > 1 {
      value /= 1024
      units.removeFirst()
    }
    return "\(tenths(value)) \(units[units.startIndex])"
  }

  /// `0.4 s`, `2 min 5 s`, `3 h 20 min`.
  static func duration(_ seconds: Double) -> String {
    if seconds < 59.95 { return "\(tenths(seconds)) s" }
    let whole = wholeNumber(seconds)
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// `0:07`, `2:05`, `3:20:05`: for a running clock.
  static func clock(_ seconds: Double) -> String {
    let whole = wholeNumber(seconds)
    let parts = [whole / 3600, whole / 60 % 60, whole % 60].drop { $0 == 0 }.suffix(3)
    let shown = parts.count < 2 ? [whole / 60, whole % 60][...] : parts
    return shown.enumerated()
      .map { index, part in index > 0 && part < 10 ? "0\(part)" : "\(part)" }
      .joined(separator: ":")
  }

  /// `4.2×`.
  static func factor(_ value: Double) -> String { "\(tenths(value))×" }

  /// As the value of an option: `128M`, `8K`, `10000`.
  static func option(_ bytes: UInt64) -> String {
    for (shift, letter) in [(30, "G"), (20, "M"), (10, "K")]
    where bytes > 0 && bytes.isMultiple(of: 1 << shift) {
      return "\(bytes >> shift)\(letter)"
    }
    return "\(bytes)"
  }

  private static func tenths(_ value: Double) -> String {
    let tenths = wholeNumber(value * 10)
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// `value` rounded; 0 if it is negative or not a number, and at most 2^53.
  private static func wholeNumber(_ value: Double) -> UInt64 {
    value > 0 ? UInt64(min(value.rounded(), 0x1p53)) : 0
  }
}
