/// The elements of SVG that a drawing is made of.
extension LayerMap {
  static func text(
    _ content: String, _ style: String, _ x: Double, _ y: Double, _ attributes: String = ""
  ) -> String {
    #"<text class="\#(style)" x="\#(number(x))" y="\#(number(y))" \#(attributes)>"#
      + escapedXML(content) + "</text>"
  }

  static func rectangle(
    _ style: String, _ x: Double, _ y: Double, _ width: Double, _ height: Double
  ) -> String {
    #"<rect class="\#(style)" x="\#(number(x))" y="\#(number(y))" "#
      + #"width="\#(number(width))" height="\#(number(height))"/>"#
  }

  static func line(
    _ style: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double
  ) -> String {
    #"<line class="\#(style)" x1="\#(number(x1))" y1="\#(number(y1))" "#
      + #"x2="\#(number(x2))" y2="\#(number(y2))"/>"#
  }

  /// One decimal, which is finer than a screen shows.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths.isMultiple(of: 10)
      ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }

  static func shortened(_ name: String) -> String {
    name.count <= 32 ? name : name.prefix(31) + "…"
  }

  /// Text as XML holds it; control characters, which it cannot hold, become spaces, but for line
  /// ends.
  static func escapedXML(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n": result += "&#10;"
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF:
        result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

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
