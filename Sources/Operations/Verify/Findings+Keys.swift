import LayerFormat

/// What is wrong with keys and their values.
extension Findings {
  /// Adds what is wrong with a value.
  mutating func add(about meaning: KeyMeaning, _ message: String) {
    add(Finding(message: message, file: meaning.file.path, block: meaning.file.block))
  }

  /// Adds what does not follow the grammar of the key space.
  mutating func add(_ fault: KeyspaceFault) {
    add(Finding(message: fault.message, file: fault.file.path, block: fault.file.block))
  }
}
