/// A position in the write-ahead log of a cluster, in bytes from its start.
///
/// Written as Postgres writes it: the upper and the lower half in upper-case hexadecimal without
/// leading zeros, `0/C84D4E0` (Postgres, `src/include/access/xlogdefs.h`, `LSN_FORMAT_ARGS`).
public struct LogSequenceNumber: RawRepresentable, Hashable, Comparable, Sendable {
  /// The position in bytes.
  public var rawValue: UInt64

  /// The LSN that is `rawValue` bytes from the start of the log.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Reads `hex/hex`, each half of one to eight digits; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let halves = text.split(separator: "/", omittingEmptySubsequences: false)
    guard halves.count == 2, let high = Self.half(halves[0]), let low = Self.half(halves[1]) else {
      return nil
    }
    self.rawValue = UInt64(high) << 32 | UInt64(low)
  }

  private static func half(_ digits: some StringProtocol) -> UInt32? {
    guard (1...8).contains(digits.utf8.count),
      digits.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D })
    else {
      return nil  // the standard library reads `+1` and `-0`, Postgres does not
    }
    return UInt32(digits, radix: 16)
  }

  /// Whether `left` is closer to the start of the log.
  @inlinable
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The position `byteCount` bytes later; traps if it is beyond 2^64 - 1.
  @inlinable
  public static func + (position: Self, byteCount: UInt64) -> Self {
    Self(rawValue: position.rawValue + byteCount)
  }
}

extension LogSequenceNumber: CustomStringConvertible {
  /// The LSN as Postgres writes it, `0/C84D4E0`.
  public var description: String {
    let high = String(rawValue >> 32, radix: 16, uppercase: true)
    return high + "/" + String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
  }
}
