import LayerFormat
import PostgresFormat
import System
import Timeline

/// Where pages of the base are read back that were read in the first pass.
///
/// Used by one thread at a time.
protocol BasePages: AnyObject {
  /// Lends the page of a key to `body`; false if there is none.
  func lend(
    _ key: Key, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool
}

/// Pages in the layers that an import has written.
final class WrittenBasePages: BasePages {
  private var pages: WrittenPages

  init(_ pages: consuming WrittenPages) { self.pages = pages }

  func lend(
    _ key: Key, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    try pages.lend(key, to: body)
  }
}
