import LayerFormat
import PostgresFormat

/// Thinks as a pageserver does: the keys follow the grammar of `Keyspace`, each has exactly one
/// value, and the values agree with the index and each other.
///
/// Takes values in key order. Memory: `KeyspaceRules`'.
struct KeyspaceCheck {
  let index: IndexPart.Metadata
  var findings: Findings
  private var rules: KeyspaceRules
  /// The prepared transactions; nil if they are not known.
  var transactionIDs: [UInt64]?
  var controlFile: ControlFile?

  init(_ index: IndexPart.Metadata, findings: Findings) {
    self.index = index
    self.findings = findings
    rules = KeyspaceRules(
      version: PostgresVersion(rawValue: index.postgresVersion), checksBlocks: true)
  }

  /// Takes the next key.
  mutating func take(_ entry: ValueBatch.Entry) {
    let value = entry.value
    guard let meaning = entry.meaning else {
      findings.add(
        .keyUnknown, "layer '\(value.layer.fileName)' contains an unknown key \(value.key)")
      return
    }
    if value.shadowedCount > 0, !(meaning.isPage && value.replacesBase) {
      findings.add(
        .keyRepeated, about: meaning, "\(meaning.words) has \(value.shadowedCount + 1) values")
    }
    if !value.isReachable {
      findings.add(
        .keyHidden, about: meaning,
        "\(meaning.words) is hidden by an image layer that covers its key and does not have it")
    }
    var bytes: [UInt8]?
    switch entry.outcome {
    case .damaged(let reason):
      findings.add(
        .valueDamaged, about: meaning,
        "\(meaning.words) in layer '\(value.layer.fileName)': \(reason)")
    case .record: findings.add(.walRecord, about: meaning, "\(meaning.words) is a WAL record")
    case .value(let value): bytes = value
    case .page, .unread: break
    }
    if !meaning.isPage, let lsn = value.stored.entry.lsn, lsn != index.initdbLSN {
      findings.add(
        .valueLSN, about: meaning, "\(meaning.words) has LSN \(lsn), not that of the import")
    }
    Self.take(value.key, bytes, &rules, &findings)
    if let bytes { check(meaning, bytes) }
  }

  /// Judges what must be there and has not come, when all keys have been taken.
  mutating func finish() {
    Self.finish(&rules, &findings)
  }

  // The closures need the findings alone, beside the rules.

  private static func take(
    _ key: Key, _ bytes: [UInt8]?, _ rules: inout KeyspaceRules, _ findings: inout Findings
  ) {
    if let bytes {
      rules.take(key, bytes.bytes) { findings.add($0) }
    } else {
      rules.take(key) { findings.add($0) }
    }
  }

  private static func finish(_ rules: inout KeyspaceRules, _ findings: inout Findings) {
    rules.finish { findings.add($0) }
  }
}
