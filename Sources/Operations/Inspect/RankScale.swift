/// An axis on which positions are in their order, not at their distance: the stretch between two
/// of them is as long as what is there needs.
struct RankScale<Position: Hashable & Comparable> {
  /// A stretch between two neighbouring positions.
  struct Stretch {
    /// What it takes at least, as far as there is room.
    var least: Double
    /// Its share of the room that is left.
    var share: Double
  }

  /// Ascending, without doubles.
  let positions: [Position]
  private let coordinates: [Position: Double]
  /// The length of the axis.
  let length: Double

  /// An axis of at most `length`, or just as long as its stretches need if none has a share.
  init(_ all: some Sequence<Position>, length: Double, stretch: (Range<Position>) -> Stretch) {
    let positions = Set(all).sorted()
    let stretches = zip(positions, positions.dropFirst()).map { stretch($0..<$1) }
    let least = stretches.reduce(0) { $0 + $1.least }
    let shares = stretches.reduce(0) { $0 + $1.share }
    let shrink = min(1, length / max(least, 1))
    let room = max(0, length - least)
    var coordinates: [Position: Double] = [:]
    var coordinate: Double = 0
    for (index, position) in positions.enumerated() {
      if index > 0 {
        let last = stretches[index - 1]
        coordinate += last.least * shrink + (shares > 0 ? room * last.share / shares : 0)
      }
      coordinates[position] = coordinate
    }
    self.positions = positions
    self.coordinates = coordinates
    self.length = coordinate
  }

  /// Where a position is that the axis was made with; 0 for any other.
  func coordinate(_ position: Position) -> Double { coordinates[position] ?? 0 }
}
