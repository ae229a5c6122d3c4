/// A code that scripts depend on, with its meaning: `Docs/errors.md` lists every one.
///
/// A raw value is in kebab case, never changes its meaning and is never reused.
public protocol StableCode: RawRepresentable<String>, CaseIterable, Hashable, Codable, Sendable {
  /// What it means, in full sentences.
  var meaning: String { get }
}
