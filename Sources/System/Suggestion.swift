/// Finds the name that a misspelled word was meant to be.
package enum Suggestion {
  /// The candidate nearest to `word`, or nil if none is near: a third of its letters may differ, or
  /// two if that is more. Of two that are equally near, the first.
  package static func nearest(to word: String, among candidates: [String]) -> String? {
    candidates
      .filter { candidate in
        let (short, long) = (
          min(word.utf8.count, candidate.utf8.count), max(word.utf8.count, candidate.utf8.count)
        )
        return long - short <= limit(candidate)
      }
      .map { (name: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
      .filter { $0.distance <= limit($0.name) && $0.distance < $0.name.utf8.count }
      .min { $0.distance < $1.distance }?.name
  }

  private static func limit(_ candidate: String) -> Int { max(2, candidate.utf8.count / 3) }

  /// The number of bytes to insert, delete, replace, or swap with their neighbour, to turn one word
  /// into the other (the restricted Damerau-Levenshtein distance). The time grows with the product
  /// of the lengths.
  package static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...second.count)
    for row in first.indices {
      var current = [row + 1]
      for column in second.indices {
        let substitution = previous[column] + (first[row] == second[column] ? 0 : 1)
        var best = min(previous[column + 1] + 1, current[column] + 1, substitution)
        if row > 0, column > 0, first[row] == second[column - 1],
          first[row - 1] == second[column]
        {
          best = min(best, beforePrevious[column - 1] + 1)
        }
        current.append(best)
      }
      (beforePrevious, previous) = (previous, current)
    }
    return previous[second.count]
  }
}
