import LayerFormat

/// What is wrong with keys and their values, in words.
extension Findings {
  /// Adds what is wrong with a value.
  mutating func add(about meaning: KeyMeaning, _ message: String) {
    add(Finding(message: message, file: meaning.file.path, block: meaning.file.block))
  }

  /// Adds that a key has no value.
  mutating func addMissing(_ key: Key) {
    guard let meaning = key.meaning else { return }
    add(about: meaning, "\(meaning.words) is missing")
  }

  /// Adds that a run of blocks is missing; `sizeKey` is that of what they belong to.
  mutating func addGap(_ blocks: Range<UInt64>, _ sizeKey: Key) {
    guard let path = sizeKey.meaning?.file.path else { return }
    let words =
      blocks.count == 1
      ? "block \(blocks.lowerBound) of '\(path)' is"
      : "blocks \(blocks.lowerBound) to \(blocks.upperBound - 1) of '\(path)' are"
    add(
      Finding(
        message: words + " missing", file: path,
        block: UInt32(truncatingIfNeeded: blocks.lowerBound)
      ))
  }
}
