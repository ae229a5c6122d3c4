/// Numbers that are the same in every run (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
  /// The state, which the next number is made from.
  public var state: UInt64

  /// A generator whose numbers depend on `state` only.
  public init(state: UInt64) { self.state = state }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// The next `count` bytes.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}

/// Bytes that compress to about half, the same for the same seed.
public func halfRandomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
  var generator = SeededGenerator(state: seed)
  let words = (0..<count / 8 + 1).map { _ in generator.next() & 0x0F0F_0F0F_0F0F_0F0F }
  // Invariant: the bytes are only lent to the array that copies them.
  return unsafe words.withUnsafeBytes { unsafe Array($0.prefix(count)) }
}
