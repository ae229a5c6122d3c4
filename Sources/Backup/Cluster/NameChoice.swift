import PostgresFormat

/// What rows say of a name: one that certainly is visible decides. Others do if they agree, for
/// what they name exists: its files are there.
package struct NameChoice {
  /// The name; nil if rows disagree.
  package private(set) var name: String?
  /// What kind of relation has it, if a row said so.
  package private(set) var kind: RelationKind?
  private var isCertain: Bool

  /// The name that the first row gives.
  package init(_ name: String, _ kind: RelationKind? = nil, isCertain: Bool) {
    self.name = name
    self.kind = kind
    self.isCertain = isCertain
  }

  /// Takes what another row says.
  package mutating func add(_ other: Self) {
    if other.isCertain {
      self = other
    } else if !isCertain && other.name != name {
      name = nil
      kind = nil
    }
  }
}
