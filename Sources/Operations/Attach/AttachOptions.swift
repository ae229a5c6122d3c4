import ObjectStore
import PostgresFormat
import Service
import System

/// What to take into service, and where.
public struct AttachOptions: Sendable {
  /// The servers that take the tenant up.
  package enum Target: Sendable {
    /// A storage controller, which knows pageservers and safekeepers.
    case controller(ServiceURL)
    /// A pageserver alone, and safekeepers.
    ///
    /// - Parameter generation: what to attach at; nil for that of the files.
    case pageserver(ServiceURL, [SafekeeperAddress], generation: UInt32?)

    /// Whether a timeline gets on safekeepers; without them, computes can only read it.
    var hasSafekeepers: Bool {
      switch self {
      case .controller: true
      case .pageserver(_, let safekeepers, _): !safekeepers.isEmpty
      }
    }
  }

  /// A tenant or a timeline: a directory, or `s3://BUCKET/PREFIX`.
  public var place: String
  /// How the object store is reached that it is in.
  public var store = StoreOptions()
  /// How the service is called.
  public var service = ServiceOptions()
  /// The servers.
  package var target: Target
  /// Called with what is being waited for, a phrase.
  package var announce: @Sendable (String) -> Void = { _ in }

  /// Options for the tenant or the timeline at a place.
  package init(place: String, target: Target) {
    self.place = place
    self.target = target
  }
}

/// A safekeeper as a person names it: `URL`, or `URL,PORT` with the port for WAL.
package struct SafekeeperAddress: Sendable, Equatable {
  /// Where it takes calls.
  package var url: ServiceURL
  /// Its port for WAL.
  package var port: Int

  /// The usual one. (Neon, `libs/safekeeper_api/src/lib.rs`)
  package static let usualPort = 5454

  /// Reads that form; throws `.usage` for another one.
  package init(_ text: String) throws(Failure) {
    let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    url = try ServiceURL(String(parts[0]))
    port = Self.usualPort
    guard parts.count == 2 else { return }
    guard let port = Int(parts[1]), (1...0xFFFF).contains(port) else {
      throw Failure(
        .badOption, "\(text.quoted) does not end with a port",
        hint: "Write a safekeeper as URL or URL,PORT: its port for WAL, if that is not "
          + "\(Self.usualPort).")
    }
    self.port = port
  }
}
