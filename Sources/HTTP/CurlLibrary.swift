import CCurl
import PostgresFormat
import System

/// libcurl, which is loaded when a request is first sent.
package enum CurlLibrary {
  /// What keeps it from being loaded; nil if it is.
  private static let problem: String? = {
    // Invariant: this is run once; the text is the library's or the loader's, and is copied at once.
    unsafe curl_load().map { unsafe String(cString: $0) }
  }()

  /// Loads it; throws `.unsupported` if that fails.
  static func load() throws(Failure) {
    guard let problem else { return }
    throw Failure(
      .libraryMissing, "cannot load libcurl: \(escaped(problem.utf8))",
      hint: "Install it: the package is 'libcurl4' on Debian.")
  }

  /// Its version; nil if it cannot be loaded.
  package static var version: String? {
    // Invariant: the library is loaded, and the text is its own constant.
    problem == nil ? unsafe String(cString: loaded_version()) : nil
  }

  /// Reads a date in the words of HTTP; nil for anything else, and before the library is loaded.
  package static func time(of text: String) -> UTCTime? {
    guard problem == nil else { return nil }
    // Invariant: the library is loaded, and the text is a C string for the call.
    let seconds = unsafe loaded_date(text)
    return seconds < 0 ? nil : UTCTime(seconds: seconds)
  }
}
