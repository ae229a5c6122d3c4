/// How an object store is reached, as the command line says it; nil for what it does not say.
public struct StoreOptions: Sendable, Equatable {
  /// The URL of a service that is not AWS's own: `https://HOST[:PORT]`.
  public var endpointURL: String?
  /// The region that requests are signed for.
  public var region: String?
  /// A file with certificates of authorities to trust instead of the system's.
  public var caBundle: String?

  /// What the environment and the configuration files say.
  public init() {}

  /// Whether nothing is said.
  public var isEmpty: Bool { self == StoreOptions() }
}
