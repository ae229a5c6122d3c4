import PostgresFormat

/// Those of a tenant's shards that one import writes: all, or some of them.
public struct ShardSelection: Equatable, Sendable {
  /// How the tenant's keys are spread.
  public let layout: ShardLayout
  /// The numbers of the shards, in ascending order.
  public let numbers: [Int]
  /// Whether others may be written elsewhere, so that none is published by itself.
  public let isPartial: Bool
  /// For each shard of the tenant its place in `numbers`.
  private let positions: [Int?]

  /// All shards of a tenant.
  public init(all layout: ShardLayout) {
    self.init(layout, Set(0..<layout.count), isPartial: false)
  }

  private init(_ layout: ShardLayout, _ numbers: Set<Int>, isPartial: Bool) {
    self.layout = layout
    self.isPartial = isPartial
    self.numbers = numbers.sorted()
    var positions = [Int?](repeating: nil, count: layout.count)
    for (position, number) in self.numbers.enumerated() { positions[number] = position }
    self.positions = positions
  }

  /// The shards of a list such as `0-3,7`; nil if it is malformed, or has one that the tenant has not.
  public init?(_ layout: ShardLayout, only list: String) {
    var numbers: Set<Int> = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map(Self.number)
      guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1],
        first <= last, last < layout.count
      else { return nil }
      numbers.formUnion(first...last)
    }
    self.init(layout, numbers, isPartial: true)
  }

  private static func number(_ text: Substring) -> Int? {
    guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return Int(text)
  }

  /// The shards.
  public var ids: [ShardID] { numbers.map { ShardID($0, of: layout.count) } }

  /// The place in `numbers` of the shard of this number; nil if it is not among them.
  public func position(ofShard number: Int) -> Int? { positions[number] }

  /// The same of the shard that has a block of a relation.
  public func position(of relation: RelationForkID, block: UInt32) -> Int? {
    positions[layout.shard(of: relation, block: block)]
  }
}
