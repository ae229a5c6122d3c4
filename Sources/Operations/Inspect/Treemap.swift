/// Divides a rectangle into smaller ones, each with an area in proportion to its weight and as
/// nearly square as possible: a squarified treemap.
///
/// ```
/// weights 6 6 4 3 2 2 1, in 6 × 4:    ┌─────────┬───────┬──────┐
///                                     │         │   4   │   3  │
/// rows along the shorter side, each   │    6    ├───┬───┴──┬───┤
/// one as long as it makes its boxes   ├─────────┤   │      │ 1 │
/// more nearly square                  │    6    │ 2 │   2  │   │
///                                     └─────────┴───┴──────┴───┘
/// ```
///
/// (M. Bruls, K. Huizing, J. van Wijk: Squarified Treemaps, 2000)
enum Treemap {
  /// A rectangle; `y` grows downwards.
  struct Box: Equatable {
    var x: Double
    var y: Double
    var width: Double
    var height: Double

    var area: Double { width * height }

    /// What is left without a margin on each side and a strip at the top.
    func inset(by margin: Double, top: Double = 0) -> Box {
      Box(
        x: x + margin, y: y + margin + top, width: max(0, width - 2 * margin),
        height: max(0, height - 2 * margin - top))
    }
  }

  /// A box for each weight, in their order, which together fill `box` without overlap.
  ///
  /// Weights must not be negative. Boxes are the most nearly square if the weights descend. If all
  /// of them are 0, all boxes are empty.
  static func boxes(of weights: [Double], in box: Box) -> [Box] {
    precondition(weights.allSatisfy { $0 >= 0 && $0.isFinite })
    var boxes: [Box] = []
    boxes.reserveCapacity(weights.count)
    var rest = box
    var restWeight = weights.reduce(0, +)
    var start = 0
    while start < weights.count {
      let scale = restWeight > 0 ? rest.area / restWeight : 0
      let end = rowEnd(weights, from: start, scale: scale, side: min(rest.width, rest.height))
      let row = weights[start..<end]
      let rowWeight = row.reduce(0, +)
      let isLast = end == weights.count
      let share = isLast ? 1 : restWeight > 0 ? min(1, rowWeight / restWeight) : 0
      boxes += place(row, of: rowWeight, share: share, in: &rest)
      restWeight -= rowWeight
      start = end
    }
    return boxes
  }

  /// The end of the row that begins at `start`: the next weight would make its boxes less square.
  private static func rowEnd(
    _ weights: [Double], from start: Int, scale: Double, side: Double
  ) -> Int {
    var end = start + 1
    var sum = weights[start]
    var (least, most) = (weights[start], weights[start])
    var worst = worstRatio(least, most, sum, scale, side)
    while end < weights.count {
      let next = weights[end]
      let ratio = worstRatio(min(least, next), max(most, next), sum + next, scale, side)
      guard ratio <= worst else { return end }
      (least, most, sum, worst) = (min(least, next), max(most, next), sum + next, ratio)
      end += 1
    }
    return end
  }

  /// The longer side of the least square box of a row by its shorter one.
  private static func worstRatio(
    _ least: Double, _ most: Double, _ sum: Double, _ scale: Double, _ side: Double
  ) -> Double {
    guard least > 0, scale > 0, side > 0 else { return .infinity }
    let square = sum * sum * scale
    return max(side * side * most / square, square / (side * side * least))
  }

  /// Puts a row at the left or upper side of `rest`, whichever is the shorter, and takes its room.
  private static func place(
    _ row: ArraySlice<Double>, of sum: Double, share: Double, in rest: inout Box
  ) -> [Box] {
    let isColumn = rest.width >= rest.height
    let side = isColumn ? rest.height : rest.width
    let depth = (isColumn ? rest.width : rest.height) * share
    var boxes: [Box] = []
    var done: Double = 0
    for weight in row {
      let start = sum > 0 ? side * (done / sum) : 0
      done += weight
      let end = sum > 0 ? side * min(1, done / sum) : 0
      boxes.append(
        isColumn
          ? Box(x: rest.x, y: rest.y + start, width: depth, height: end - start)
          : Box(x: rest.x + start, y: rest.y, width: end - start, height: depth))
    }
    if isColumn {
      rest = Box(x: rest.x + depth, y: rest.y, width: rest.width - depth, height: rest.height)
    } else {
      rest = Box(x: rest.x, y: rest.y + depth, width: rest.width, height: rest.height - depth)
    }
    return boxes
  }
}
