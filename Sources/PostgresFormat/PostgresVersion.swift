/// A major version of Postgres that can be imported, and the differences between versions.
public enum PostgresVersion: Int, CaseIterable, Sendable, Comparable {
  /// Postgres 14: its statistics are not in one file yet.
  case v14 = 14
  /// Postgres 15, 16 and 17.
  case v15, v16, v17

  /// Whether `left` is the older version.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The version with this catalog version; nil for development and other versions.
  public init?(catalogVersion: UInt32) {
    guard let version = Self.allCases.first(where: { $0.catalogVersion == catalogVersion }) else {
      return nil
    }
    self = version
  }

  /// `CATALOG_VERSION_NO` of the version's releases (Postgres, `src/include/catalog/catversion.h`).
  public var catalogVersion: UInt32 {
    switch self {
    case .v14: 2021_07_181
    case .v15: 2022_09_061
    case .v16: 2023_07_071
    case .v17: 2024_06_281
    }
  }

  /// `PG_CONTROL_VERSION` (Postgres, `src/include/catalog/pg_control.h`).
  public var controlFileVersion: UInt32 { self == .v17 ? 1700 : 1300 }

  /// `XLOG_PAGE_MAGIC`, the first two bytes of a WAL page (`src/include/access/xlog_internal.h`).
  public var walPageMagic: UInt16 {
    switch self {
    case .v14: 0xD10D
    case .v15: 0xD110
    case .v16: 0xD113
    case .v17: 0xD116
    }
  }

  /// The number of hexadecimal digits in the name of a file in `pg_twophase`.
  public var twoPhaseNameDigits: Int { self >= .v17 ? 16 : 8 }

  /// Whether the cumulative statistics are in `pg_stat/pgstat.stat`, as from version 15 on.
  public var hasStatisticsFile: Bool { self >= .v15 }
}

extension PostgresVersion {
  /// Reads the contents of a `PG_VERSION` file: the major version, with or without a newline.
  ///
  /// - Throws: `damaged` if it contains no version, `unsupported` if the version cannot be
  ///   imported.
  public init(versionFile bytes: RawSpan) throws(FormatError) {
    var text = bytes.array[...]
    if text.last == UInt8(ascii: "\n") { text.removeLast() }
    guard (1...16).contains(text.count),
      text.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") })
    else {
      throw .damaged("it contains no version number")
    }
    let name = String(decoding: text, as: UTF8.self)
    guard let version = Self.allCases.first(where: { String($0.rawValue) == name }) else {
      throw FormatError(
        .unsupportedVersion, "Postgres version \(name) is not supported",
        hint: Self.supportedVersionsHint)
    }
    self = version
  }

  /// `PG_VERSION` as in a fullbackup of a pageserver: a newline follows the number only from 16 on.
  public var versionFileContents: [UInt8] {
    Array((String(rawValue) + (self >= .v16 ? "\n" : "")).utf8)
  }

  /// Which versions there are, for the hint of an error about another one.
  package static let supportedVersionsHint =
    "Clusters of Postgres 14, 15, 16 and 17 can be imported."
}
