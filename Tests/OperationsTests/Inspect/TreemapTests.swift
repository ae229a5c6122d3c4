import TestSupport
import Testing

@testable import Operations

/// The geometry of boxes with areas in proportion to weights.
@Suite struct TreemapTests {
  private static let box = Treemap.Box(x: 10, y: 20, width: 1200, height: 760)

  /// What must be true of any division: each area is in proportion, none overlaps another, all are
  /// inside, and together they fill the whole.
  private static func check(
    _ weights: [Double], in box: Treemap.Box = box,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let boxes = Treemap.boxes(of: weights, in: box)
    #expect(boxes.count == weights.count, sourceLocation: sourceLocation)
    let total = weights.reduce(0, +)
    guard total > 0 else {
      #expect(boxes.allSatisfy { $0.area == 0 }, sourceLocation: sourceLocation)
      return
    }
    let tolerance = 1e-6 * box.area
    var difference: Double = 0
    var outside: Double = 0
    for (weight, part) in zip(weights, boxes) {
      let expected: Double = box.area * weight / total
      difference = max(difference, abs(part.area - expected))
      let right: Double = part.x + part.width - box.x - box.width
      let bottom: Double = part.y + part.height - box.y - box.height
      outside = max(outside, box.x - part.x, box.y - part.y, right, bottom)
      outside = max(outside, -part.width, -part.height)
    }
    #expect(difference <= tolerance, sourceLocation: sourceLocation)
    #expect(outside <= 1e-6, sourceLocation: sourceLocation)
    var overlap: Double = 0
    for (index, part) in boxes.enumerated() {
      for other in boxes[..<index] { overlap = max(overlap, Self.overlap(part, other)) }
    }
    #expect(overlap <= tolerance, sourceLocation: sourceLocation)
    let sum: Double = boxes.reduce(0) { $0 + $1.area }
    #expect(abs(sum - box.area) <= tolerance, sourceLocation: sourceLocation)
  }

  /// The area that two boxes share.
  private static func overlap(_ first: Treemap.Box, _ second: Treemap.Box) -> Double {
    let right: Double = min(first.x + first.width, second.x + second.width)
    let bottom: Double = min(first.y + first.height, second.y + second.height)
    let width: Double = right - max(first.x, second.x)
    let height: Double = bottom - max(first.y, second.y)
    return width > 0 && height > 0 ? width * height : 0
  }

  /// Method: weights by chance, few and many, alike and of very different sizes, sorted and not.
  @Test func chance() {
    var generator = SeededGenerator(state: 21)
    for count in [1, 2, 3, 7, 20, 120] {
      for exponent in [0, 1, 4, 40] {
        let weights = (0..<count).map { _ in
          var weight = 1.0
          for _ in 0..<exponent { weight *= Double.random(in: 0.2...2, using: &generator) }
          return weight
        }
        Self.check(weights.sorted(by: >))
        Self.check(weights)
      }
    }
  }

  /// Method: nothing, nothing but zeros, zeros among others, one that dwarfs all, boxes without
  /// area.
  @Test func extremes() {
    Self.check([])
    Self.check([0])
    Self.check([0, 0, 0])
    Self.check([5, 0, 0])
    Self.check([0, 5, 0, 3])
    Self.check([1e18, 1, 1, 1, 0])
    Self.check(Array(repeating: 1, count: 1000))
    Self.check([3, 2, 1], in: .init(x: 0, y: 0, width: 1, height: 500))
    let flat = Treemap.boxes(of: [3, 2, 1], in: .init(x: 1, y: 2, width: 50, height: 0))
    #expect(flat.count == 3 && flat.allSatisfy { $0.area == 0 && $0.width.isFinite })
  }

  /// Goal: boxes are nearly square where that is possible. Method: the example of the paper that
  /// describes the algorithm, and a hundred like weights.
  @Test func squareness() {
    func ratio(_ box: Treemap.Box) -> Double {
      max(box.width / box.height, box.height / box.width)
    }
    let boxes = Treemap.boxes(
      of: [6, 6, 4, 3, 2, 2, 1], in: .init(x: 0, y: 0, width: 6, height: 4))
    #expect(boxes[0] == .init(x: 0, y: 0, width: 3, height: 2))
    #expect(boxes[1] == .init(x: 0, y: 2, width: 3, height: 2))
    #expect(boxes.allSatisfy { ratio($0) < 3 })
    let alike = Treemap.boxes(of: Array(repeating: 1, count: 100), in: Self.box)
    #expect(alike.allSatisfy { ratio($0) < 3 })
  }

  /// Goal: a margin is taken from each side, and nothing becomes negative.
  @Test func insets() {
    let box = Treemap.Box(x: 10, y: 20, width: 30, height: 40)
    #expect(box.inset(by: 2, top: 5) == .init(x: 12, y: 27, width: 26, height: 31))
    #expect(box.inset(by: 100).area == 0)
  }
}
