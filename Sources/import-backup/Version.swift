import CBuild
import CIsal
import CLibArchive
import CLz4
import CLzma
import CNettle
import CXML
import CZstd
import HTTP
import LayerFormat
import PostgresFormat

/// Which version of the program this is: the one place that says so. CHANGELOG.md follows it.
enum Version {
  static let number = "0.1.0"

  /// When that version was released, as the man page shows it.
  static let releaseDate = "November 24, 2026"

  /// What `--version` prints: the version and its commit, the formats, the libraries.
  static func text() -> String {
    let versions = PostgresVersion.allCases.map(\.rawValue)
    return """
      \(Program.name) \(number) (commit \(commit))
      Postgres \(versions.min() ?? 0) to \(versions.max() ?? 0), \
      layer format \(LayerSummary.formatVersion), index version \(IndexPart.currentVersion)
      \(libraries().joined(separator: ", "))

      """
  }

  /// The commit that `make` built, with `-dirty` if files had been changed; else `unknown`.
  ///
  /// Invariant: the C file's function returns a constant string.
  private static var commit: String { unsafe String(cString: build_commit()) }

  /// Name and version of each library, as loaded. ISA-L has no function for it, nor libxml2 one that may
  /// be called from threads: these versions are those of the headers.
  ///
  /// Invariant: each of these functions returns a constant string of its library, never null.
  private static func libraries() -> [String] {
    [
      unsafe String(cString: archive_version_string()),
      unsafe "libzstd " + String(cString: ZSTD_versionString()),
      unsafe "liblzma " + String(cString: lzma_version_string()),
      unsafe "liblz4 " + String(cString: LZ4_versionString()),
      "nettle \(nettle_version_major()).\(nettle_version_minor())",
      CurlLibrary.version.map { "libcurl \($0)" } ?? "no libcurl",
      "built with libxml2 \(LIBXML_DOTTED_VERSION)",
      "built with ISA-L \(ISAL_MAJOR_VERSION).\(ISAL_MINOR_VERSION).\(ISAL_PATCH_VERSION)",
    ]
  }
}
