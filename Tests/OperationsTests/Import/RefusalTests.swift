import PostgresFormat
import TestSupport
import Testing

@testable import System

/// Backups that cannot be imported: each made from a sound one, and refused by name.
@Suite struct RefusalTests {
  /// A change to the sound backup, and what the refusal says of it.
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var code: ExitCode
    /// What the message must contain.
    var message: String
    /// What the hint must contain; nil for no hint at all.
    var hint: String?
    var make: @Sendable () -> TestTar
  }

  static func change(
    _ name: String, _ code: ExitCode, _ message: String, hint: String? = nil,
    _ change: @escaping @Sendable (inout TestTar) -> Void
  ) -> Case {
    Case(testDescription: name, code: code, message: message, hint: hint) {
      var tar = SmallBackup.tar
      change(&tar)
      return tar
    }
  }

  static func control(
    _ name: String, _ code: ExitCode, _ message: String, hint: String? = nil,
    at offset: Int, _ value: UInt32
  ) -> Case {
    Case(testDescription: name, code: code, message: message, hint: hint) {
      SmallBackup.withControlFile {
        $0.replaceSubrange(offset..<offset + 4, with: SmallBackup.bytesOf(value))
      }
    }
  }

  static let unsupported: [Case] = [
    control("version 18", .unsupported, "18", hint: "14, 15, 16 and 17", at: 8, 1800),
    control("unknown version", .unsupported, "unknown", hint: "14, 15, 16 and 17", at: 8, 1400),
    control("version 13", .unsupported, "13", hint: "14, 15, 16", at: 12, 202_007_201),
    control(
      "running", .unsupported, "was running or crashed (state: in production)",
      hint: "--recover-with /usr/lib/postgresql/15/bin", at: 16, 6),
    control("standby", .unsupported, "standby", hint: "--recover-with", at: 16, 2),
    Case(
      testDescription: "32-bit cluster", code: .unsupported, message: "of a 32-bit build",
      hint: "64-bit"
    ) {
      // As on 32-bit x86: four bytes less after the state, and so on; the CRC at byte 268.
      var tar = SmallBackup.tar
      var control = tar["global/pg_control"].contents
      control.removeSubrange(20..<24)
      let checksum = CRC32C.checksum(of: control.bytes.extracting(0..<268))
      control.replaceSubrange(268..<272, with: SmallBackup.bytesOf(checksum))
      tar["global/pg_control"].contents = control + [0, 0, 0, 0]
      return tar
    },
    control("block size", .unsupported, "block size is 4096", hint: "", at: 216, 4096),
    control("WAL segment size", .unsupported, "WAL segment size 3000000", at: 228, 3_000_000),
    change(
      "backup_label", .unsupported, "'backup_label'",
      hint: "--recover-with /usr/lib/postgresql/15/bin"
    ) {
      $0.members.append(.init("./backup_label", contents: Array("START WAL".utf8)))
    },
    change("tablespace_map", .unsupported, "16400 ('/x')", hint: "--recover-with") {
      $0.members.append(.init("./tablespace_map", contents: Array("16400 /x\n".utf8)))
    },
    change("tablespace link", .unsupported, "'pg_tblspc/16400'", hint: "--recover-with") {
      $0.members.append(.init("./pg_tblspc/16400", type: "2", linkTarget: "/srv/tablespace"))
    },
    change("incremental", .unsupported, "incremental", hint: "pg_combinebackup") {
      $0.members.append(.init("./base/5/INCREMENTAL.16384", contents: [1, 2, 3]))
    },
  ]

  static let damaged: [Case] = [
    change("no pg_control", .damaged, "no 'global/pg_control'", hint: "complete data directory") {
      $0.remove("global/pg_control")
    },
    change("no PG_VERSION", .damaged, "no 'PG_VERSION'") { $0.remove("PG_VERSION") },
    change("other PG_VERSION", .damaged, "'PG_VERSION' is 16") {
      $0["PG_VERSION"].contents = Array("16\n".utf8)
    },
    change("pg_control flipped", .damaged, "global/pg_control': the checksum") {
      $0["global/pg_control"].contents[40] ^= 1
    },
    change("torn relation", .damaged, "'base/5/99999' has 8191 bytes", hint: "incomplete") {
      $0.members.append(.init("./base/5/99999", contents: .init(repeating: 0, count: 8191)))
    },
    change("relation above 1 GiB", .damaged, "'base/5/99999' has 1073750016 bytes") {
      // Only its header is there: the size is refused before the first byte is asked for.
      $0.members.append(.init("./base/5/99999", claimedByteCount: 1 << 30 + 8192))
    },
    change("member of 8 EiB", .damaged, "size overflow") {
      $0.members.append(.init("./base/5/99999", claimedByteCount: .max >> 1))
    },
    change("member of 1 TiB", .damaged, "'base/5/99999' has 1099511627776 bytes") {
      $0.members.append(.init("./base/5/99999", claimedByteCount: 1 << 40))
    },
    change("relation of one byte", .damaged, "'base/5/99999' has 1 byte, not", hint: "incomplete") {
      $0.members.append(.init("./base/5/99999", contents: [0]))
    },
    change("dump of pg_dump", .damaged, "made by pg_dump", hint: "pg_basebackup") {
      $0.remove("global/pg_control")
      $0.members.insert(.init("toc.dat", contents: Array("PGDMP".utf8)), at: 0)
    },
    change("missing segment", .damaged, "'base/5/99999' is missing") {
      $0.members.append(.init("./base/5/99999.1", contents: .init(repeating: 0, count: 8192)))
    },
    change("segment behind one not full", .damaged, "not full") {
      for suffix in ["", ".1"] {
        $0.members.append(
          .init("./base/5/99999" + suffix, contents: .init(repeating: 0, count: 8192)))
      }
    },
    change("relation twice", .damaged, "'global/1262' appears twice", hint: "tar -u") {
      $0.members.append($0["global/1262"])
    },
    change("map twice", .damaged, "'global/pg_filenode.map' appears twice", hint: "extract it") {
      $0.members.append($0["global/pg_filenode.map"])
    },
    change("no shared relation map", .damaged, "no 'global/pg_filenode.map'", hint: "incomplete") {
      $0.remove("global/pg_filenode.map")
    },
    change("relation map flipped", .damaged, "'base/5/pg_filenode.map': the checksum") {
      $0["base/5/pg_filenode.map"].contents[20] ^= 1
    },
    change("relation map cut off", .damaged, "'base/5/pg_filenode.map': the relation map has ") {
      $0["base/5/pg_filenode.map"].contents = []
    },
    change("relation map of too many pairs", .damaged, "'global/pg_filenode.map': the relation map")
    {
      $0["global/pg_filenode.map"].contents = SmallBackup.relationMap { $0[4] = 63 }
    },
    change("other PG_VERSION of a database", .damaged, "'base/5/PG_VERSION' is 14") {
      $0["base/5/PG_VERSION"].contents = Array("14\n".utf8)
    },
    change("no pg_xact", .damaged, "page 0 of 'pg_xact/0000' is missing", hint: "incomplete") {
      $0.remove("pg_xact/0000")
    },
    change("empty log of multixacts", .damaged, "'pg_multixact/offsets/0000' is missing", hint: "")
    {
      $0["pg_multixact/offsets/0000"].contents = []
    },
    change("SLRU segment twice", .damaged, "'pg_xact/0000' appears twice", hint: "extract it") {
      $0.members.append($0["pg_xact/0000"])
    },
    change("SLRU segment too long", .damaged, "'pg_xact/0001' has 270336 bytes") {
      $0.members.append(.init("./pg_xact/0001", contents: .init(repeating: 0, count: 33 * 8192)))
    },
    change("page from the future", .damaged, "block 1 of 'base/5/99999'", hint: "different times") {
      let empty = [UInt8](repeating: 0, count: 8192)
      var page = empty
      // 0/215AD69, one above the end, in the second page, which is in use.
      page.replaceSubrange(4..<8, with: SmallBackup.bytesOf(0x215_AD69))
      page[15] = 0x20
      SmallBackup.setChecksum(of: &page, block: 1)
      $0.members.append(.init("./base/5/99999", contents: empty + page + empty))
    },
    change("damaged two-phase file", .damaged, "pg_twophase/00000300': the magic") {
      $0.members.append(.init("./pg_twophase/00000300", contents: .init(repeating: 7, count: 200)))
    },
    change("name that climbs", .damaged, "'./base/../../etc/passwd'") {
      $0.members.append(.init("./base/../../etc/passwd"))
    },
    change("absolute name that climbs", .damaged, "'/base/../../etc/passwd'") {
      $0.members.append(.init("/base/../../etc/passwd"))
    },
    change("link for a file", .damaged, "base/5/99999", hint: "dereference") {
      $0.members.append(.init("./base/5/99999", type: "2", linkTarget: "/etc/passwd"))
    },
    change("hard link for a file", .damaged, "base/5/99999", hint: "") {
      $0.members.append(.init("./base/5/99999", type: "1", linkTarget: "./base/5/1259"))
    },
    change("device for a file", .damaged, "base/5/99999") {
      $0.members.append(.init("./base/5/99999", type: "3"))
    },
    change("unknown name", .damaged, "unexpected file 'base/5/unknown'", hint: "--exclude") {
      $0.members.append(.init("./base/5/unknown"))
    },
    change("one directory higher", .damaged, "one directory below it", hint: "--strip-components 1")
    { tar in
      for index in tar.members.indices {
        tar.members[index].name = "data/" + tar.members[index].name
      }
    },
  ]

  /// Goal: what cannot be imported is refused with the right code, names the thing, and leaves
  /// nothing behind. Method: change the sound backup, import it, look at error and directory.
  @Test(arguments: unsupported + damaged + incomplete) func refused(_ refused: Case) async throws {
    let error = try #require(
      try await SmallBackup.refusal(of: refused.make().encoded()), "it was imported")
    #expect(error.exitCode == refused.code, "\(error.message)")
    #expect(error.message.contains(refused.message), "\(error.message)")
    #expect((error.hint == nil) == (refused.hint == nil), "hint: \(error.hint ?? "none")")
    if let hint = refused.hint, !hint.isEmpty {
      #expect(error.advice.contains(hint), "\(error.advice)")
    }
  }

  /// Goal: the sound backup is imported, so that the refusals are the changes' own.
  @Test func soundBackup() async throws {
    let bytes = SmallBackup.tar.encoded()
    #expect(bytes.count < 8 << 20)
    #expect(try await SmallBackup.refusal(of: bytes) == nil)
  }

  /// Goal: a stream that is not a whole tar is refused. Method: cut, extend, replace.
  @Test func streams() async throws {
    let sound = SmallBackup.tar.encoded()
    let cases: [([UInt8], String)] = [
      ([], "empty"),
      (Array("This is no tar archive.".utf8), "not a tar"),
      (Array("PGDMP\u{1}\u{E}".utf8), "not a tar, but a dump by pg_dump"),
      (SmallBackup.tar.encoded(isComplete: false), "unexpected end of archive"),
      (Array(sound.dropLast(512)), "unexpected end of archive"),
      (Array(sound.prefix(sound.count / 2)), "unexpected end of archive"),
      (sound + Array("garbage".utf8), "garbage after the end"),
    ]
    for (bytes, message) in cases {
      let error = try #require(try await SmallBackup.refusal(of: bytes))
      #expect(error.exitCode == .damaged)
      #expect(error.message.contains(message), "\(error.message)")
    }
  }
}
