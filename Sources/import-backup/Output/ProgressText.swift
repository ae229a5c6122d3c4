import Pipeline

/// Progress in words, for a terminal and for a log.
enum ProgressText {
  /// One line of a log, without its end.
  static func line(_ reading: ProgressMeter.Reading) -> String {
    "progress: " + parts(reading).map(\.text).joined(separator: ", ")
  }

  /// The line of a log about a phase that has ended.
  static func end(
    of phase: RunProgress.Phase, _ amount: RunProgress.Amount, seconds: Double
  ) -> String {
    var parts = ["\(phase.words) done in \(Quantity.clock(seconds))"]
    if let done = amount.done, amount.unit == .bytes {
      parts.append(Quantity.bytes(done))
      if seconds >= 1 { parts.append(rate(Double(done) / seconds)) }
    }
    if let written = amount.written { parts.append("\(Quantity.bytes(written)) written") }
    return "progress: " + parts.joined(separator: ", ")
  }

  /// What an import says first, after `progress: ` or `note: `: where the timeline will be.
  static func target(_ target: RunProgress.Target) -> String {
    "importing into \(target.timelinePath.quoted), generation \(target.generation)"
  }

  /// The line on a terminal, at most `columns` wide: what matters most, in a fixed order.
  static func bar(_ reading: ProgressMeter.Reading, columns: Int) -> String {
    let all = parts(reading)
    var room = columns
    var chosen: [Int: String] = [:]
    for (index, part) in all.enumerated().sorted(by: { $0.element.rank < $1.element.rank }) {
      let space = room - (chosen.isEmpty ? 0 : gap.count)
      var text = part.text
      if width(text) > space {
        switch part.rank {
        case .phase: text = fitting(text.unicodeScalars, columns: space)
        case .item where space >= leastItemWidth:
          // Its end says more than its beginning.
          let reversed = fitting(text.unicodeScalars.reversed(), columns: space - ellipsis.count)
          text = ellipsis + String(String.UnicodeScalarView(reversed.unicodeScalars.reversed()))
        default: continue
        }
      }
      chosen[index] = text
      room = space - width(text)
    }
    return all.indices.compactMap { chosen[$0] }.joined(separator: gap)
  }

  private static let gap = "  "
  private static let ellipsis = "..."
  private static let leastItemWidth = 12

  /// What there may be in a line; the first matter most.
  private enum Rank: Int, Comparable {
    case phase, wait, percent, left, rate, amount, written, item

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  /// All that there is to say, in the order of the line.
  private static func parts(
    _ reading: ProgressMeter.Reading
  ) -> [(rank: Rank, text: String)] {
    let amount = reading.amount
    var parts: [(rank: Rank, text: String)] = [
      (.phase, "\(reading.phase.words) \(Quantity.clock(reading.phaseSeconds))")
    ]
    // More than was announced, as of a file that grows or a pipe: then nothing is known of the end.
    let total = amount.total.flatMap { $0 >= amount.done ?? 0 && $0 > 0 ? $0 : nil }
    if let done = amount.done {
      if let total {
        parts.append((.percent, "\(Int(Double(done) / Double(total) * 100))%"))
        parts.append((.amount, "\(number(done, amount.unit)) of \(quantity(total, amount.unit))"))
      } else {
        parts.append((.percent, quantity(done, amount.unit)))
      }
    }
    if let wait = reading.wait {
      parts.append((.wait, "waiting for \(wait.cause.rawValue) \(Quantity.clock(wait.seconds))"))
    } else if amount.unit == .bytes, let rate = reading.rate {
      parts.append((.rate, self.rate(rate)))
      if let left = reading.secondsLeft, total != nil {
        parts.append((.left, "\(Quantity.clock(left)) left"))
      }
    }
    if let written = amount.written, written > 0 {
      parts.append((.written, "\(Quantity.bytes(written)) written"))
    }
    if !reading.item.isEmpty { parts.append((.item, reading.item)) }
    return parts
  }

  private static func number(_ number: UInt64, _ unit: RunProgress.Amount.Unit) -> String {
    unit == .bytes ? Quantity.bytes(number) : Quantity.grouped(number)
  }

  private static func quantity(_ number: UInt64, _ unit: RunProgress.Amount.Unit) -> String {
    unit == .bytes ? Quantity.bytes(number) : Quantity.count(number, "database")
  }

  private static func rate(_ bytesPerSecond: Double) -> String {
    "\(Quantity.bytes(UInt64(min(bytesPerSecond, 0x1p53))))/s"
  }

  /// A character outside ASCII counts as two columns.
  private static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + ($1.isASCII ? 1 : 2) }
  }

  private static func fitting(
    _ scalars: some Sequence<Unicode.Scalar>, columns: Int
  ) -> String {
    var room = columns
    var result = String.UnicodeScalarView()
    for scalar in scalars {
      room -= scalar.isASCII ? 1 : 2
      if room < 0 { break }
      result.append(scalar)
    }
    return String(result)
  }
}

extension RunProgress.Phase {
  /// The name for people.
  var words: String {
    switch self {
    case .checkingWAL: "checking WAL"
    case .movingTablespaces: "moving tablespaces"
    case .readingChanges: "reading changes"
    case .readingLayers: "reading layers"
    case .verifyingLayers: "verifying layers"
    case .hashingFiles: "hashing files"
    case .readingIndexes: "reading indexes"
    case .copying, .replaying, .reading, .finishing, .comparing, .exporting: rawValue
    }
  }
}
