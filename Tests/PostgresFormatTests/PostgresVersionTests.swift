import Testing

@testable import PostgresFormat

struct PostgresVersionTests {
  private func read(_ text: String) throws -> PostgresVersion {
    try [UInt8](text.utf8).withBytes { bytes throws(FormatError) in
      try PostgresVersion(versionFile: bytes)
    }
  }

  /// Goal: `PG_VERSION` is read with and without a newline, and as we write it. Method: all
  /// versions.
  @Test(arguments: PostgresVersion.allCases)
  func versionFileRoundTrip(version: PostgresVersion) throws {
    #expect(try read("\(version.rawValue)\n") == version)
    #expect(try read("\(version.rawValue)") == version)
    #expect(try read(String(decoding: version.versionFileContents, as: UTF8.self)) == version)
    #expect(version.versionFileContents.count == (version >= .v16 ? 3 : 2))
    #expect(PostgresVersion(catalogVersion: version.catalogVersion) == version)
  }

  /// Goal: other versions are not reported as damage. Method: old and new versions, and rubbish.
  @Test func otherVersionFiles() {
    for text in ["18\n", "13\n", "9.6\n", "015\n", "15.2"] {
      let error = #expect(throws: FormatError.self) { try read(text) }
      #expect(error?.code == .unsupportedVersion, "\(text)")
      #expect(error?.hint != nil)
    }
    for text in ["", "\n", "15\n\n", " 15", "15\r\n", "+15", "11111111111111111"] {
      let error = #expect(throws: FormatError.self) { try read(text) }
      #expect(error?.code == nil, "\(text)")
    }
  }

  /// Goal: the constants of the versions. Method: the values of the published headers.
  @Test func constants() {
    #expect(PostgresVersion(catalogVersion: 202_209_061) == .v15)
    #expect(PostgresVersion(catalogVersion: 202_506_291) == nil)
    #expect(PostgresVersion.allCases.map(\.walPageMagic) == [0xD10D, 0xD110, 0xD113, 0xD116])
    #expect(PostgresVersion.allCases.map(\.controlFileVersion) == [1300, 1300, 1300, 1700])
    #expect(PostgresVersion.allCases.map(\.twoPhaseNameDigits) == [8, 8, 8, 16])
    #expect(PostgresVersion.allCases.map(\.hasStatisticsFile) == [false, true, true, true])
  }
}
