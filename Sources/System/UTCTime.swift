import Glibc

/// A point in time, in seconds since 1970 in UTC, and how protocols write it.
package struct UTCTime: Comparable, Sendable {
  /// Seconds since the beginning of 1970, without leap seconds.
  package var seconds: Int

  /// The time that many seconds after the beginning of 1970.
  package init(seconds: Int) { self.seconds = seconds }

  /// The time of the system's clock.
  package static var now: UTCTime { UTCTime(seconds: time(nil)) }

  /// Whether `left` is the earlier one.
  package static func < (left: UTCTime, right: UTCTime) -> Bool { left.seconds < right.seconds }

  /// Reads `2024-02-29T12:34:56Z`, with or without a fraction of a second, which is passed over; nil
  /// for anything else. (RFC 3339, in UTC)
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"),
      [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")].allSatisfy({ place, mark in
        bytes[place] == UInt8(ascii: mark as Unicode.Scalar)
      }),
      bytes[19..<bytes.count - 1].enumerated().allSatisfy({ place, byte in
        place == 0 ? byte == UInt8(ascii: ".") : (0x30...0x39).contains(byte)
      })
    else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      bytes[range].allSatisfy { (0x30...0x39).contains($0) }
        ? Int(String(decoding: bytes[range], as: UTF8.self)) : nil
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    let days = Self.days(year: year, month: month, day: day)
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
  }

  /// Days since the beginning of 1970 in the Gregorian calendar: the year is counted from March, so
  /// that the leap day is its last.
  private static func days(year: Int, month: Int, day: Int) -> Int {
    let year = month > 2 ? year : year - 1
    let month = month > 2 ? month - 3 : month + 9
    let leapDays = year / 4 - year / 100 + year / 400
    return year * 365 + leapDays + (month * 153 + 2) / 5 + day - 1 - 719_468
  }
}
