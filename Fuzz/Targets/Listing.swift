import ObjectStore
import PostgresFormat

extension FuzzTarget {
  /// Reads an answer of an object store as a listing.
  func runListing(_ bytes: RawSpan) throws(FormatError) {
    guard let page = ListingPage(bytes.array) else { throw .damaged("no listing") }
    for object in page.objects { requireShowable(object.key.quoted) }
    for directory in page.directories { requireShowable(directory.quoted) }
  }
}
