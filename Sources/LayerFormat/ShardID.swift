import PostgresFormat

/// One shard of a tenant: its number, and how many there are.
///
/// Four lower-case hexadecimal digits, `0208` for the third of eight, follow the tenant's id in the
/// name of its directory; an unsharded tenant has none. (Neon, `libs/utils/src/shard.rs`)
public struct ShardID: Hashable, Sendable {
  /// The number, from 0 on.
  public var number: Int
  /// The number of shards; 1 if the tenant is not sharded.
  public var count: Int

  /// A shard; the number must be below the count.
  public init(_ number: Int, of count: Int) {
    precondition((0..<count).contains(number) && count <= 255)
    self.number = number
    self.count = count
  }

  /// Reads four digits; nil for anything that is no shard of two or more.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.count == 4, !text.utf8.contains(where: { (0x41...0x46).contains($0) }),
      let digits = UInt64(hexadecimal: Array(text.utf8)), digits & 0xFF > 1,
      digits >> 8 < digits & 0xFF
    else { return nil }
    self.init(Int(digits >> 8), of: Int(digits & 0xFF))
  }

  /// The four digits; nil if the tenant is not sharded.
  public var suffix: String? {
    guard count > 1 else { return nil }
    return UInt32(number << 8 | count).hexadecimal(4, uppercase: false)
  }

  /// For messages: `shard 3 of 4`.
  public var words: String { Self.words([number], of: count) }

  /// For messages, in ascending order: `shard 3 of 4`, `shards 0-2,7 of 8`.
  public static func words(_ numbers: [Int], of count: Int) -> String {
    "\(numbers.count == 1 ? "shard" : "shards") \(list(numbers)) of \(count)"
  }

  /// The list that `--only-shards` takes, of numbers in ascending order: `0-2,7`.
  public static func list(_ numbers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for number in numbers {
      if let last = runs.last, last.upperBound + 1 == number {
        runs[runs.count - 1] = last.lowerBound...number
      } else {
        runs.append(number...number)
      }
    }
    return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }

  /// The name of the shard's directory: the tenant's id, and the digits.
  public func directoryName(ofTenant tenant: Identifier) -> String {
    suffix.map { "\(tenant)-\($0)" } ?? tenant.description
  }
}
