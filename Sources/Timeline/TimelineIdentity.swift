import LayerFormat
import System

/// Whose timeline it is: what all its layers must say.
package struct TimelineIdentity: Equatable {
  package var tenant: Identifier
  package var timeline: Identifier
}

extension TimelineIdentity {
  /// Reads a path of the form `…/tenants/<tenant>/timelines/<timeline>`; nil for any other.
  package init?(path: String) {
    let names = path.split(separator: "/").suffix(4).map(String.init)
    guard names.count == 4, names[0] == "tenants", names[2] == "timelines",
      let tenant = Identifier(names[1]), let timeline = Identifier(names[3])
    else { return nil }
    self.init(tenant: tenant, timeline: timeline)
  }
}

extension TimelineIdentity {
  /// Takes the ids of the first layer for all, unless the path has them, and throws `.damaged` for
  /// a layer of another.
  package static func check(_ file: LayerFile, against known: inout Self?) throws(Failure) {
    let found = Self(tenant: file.summary.tenant, timeline: file.summary.timeline)
    if let known, known != found {
      throw file.failure("it belongs to \(found), not to \(known)")
    }
    known = found
  }
}

extension TimelineIdentity: CustomStringConvertible {
  package var description: String { "timeline \(timeline) of tenant \(tenant)" }
}
