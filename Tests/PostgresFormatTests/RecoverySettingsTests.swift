import PostgresFormat
import Testing

/// What files of Postgres say about a recovery.
@Suite struct RecoverySettingsTests {
  private func settings(_ text: String) -> RecoverySettings {
    RecoverySettings(decoding: Array(text.utf8).bytes)
  }

  /// Goal: settings are read as Postgres reads them. Method: its notations; comments, other settings,
  /// the last of two.
  @Test func notations() {
    let text = """
      # recovery_target_time = 'never'
      Recovery_Target_Time='it''s \\'late\\''   # but true
      \trecovery_target_timeline current#x
      recovery_target_inclusive = off
      recovery_targets_of_others = 1
      restore_command = 'recovery_target_xid = 7'
      recovery_target_lsn = '0/1'
      recovery_target_lsn = ''

      """
    let found = settings(text)
    #expect(found.target?.name == "recovery_target_time")
    #expect(found.target?.value == "it's 'late'")
    #expect(found.timeline == "current")
    #expect(found.isExclusive)
    #expect(settings("").target == nil && settings("").timeline == nil)
    #expect(settings("recovery_target_timeline = 'latest'").timeline == nil)
    for (text, timeline) in [
      ("0x1F", "31"), ("0X1f", "31"), ("017", "15"), ("17", "17"), ("2nd", "2"),
      ("0xg", "0xg"), ("09", "09"), ("lastest", "lastest"),
    ] {
      #expect(settings("recovery_target_timeline = '\(text)'").timeline == timeline)
    }
    #expect(settings("recovery_target = immediate").target?.value == "immediate")
  }

  /// Goal: it shows that files are included. Method: each directive; comments, settings of such names,
  /// the first of two.
  @Test func includes() {
    #expect(settings("include 'rec.conf'").include == "include 'rec.conf'")
    #expect(
      settings("#include 'a'\n INCLUDE_IF_EXISTS = b.conf # c\ninclude 'c'").include
        == "include_if_exists 'b.conf'")
    var found = settings("included = on\ninclude_dir ''\nport = 1 # include 'x'")
    #expect(found.include == nil)
    found.merge(settings("include_dir 'conf.d'"))
    #expect(found.include == "include_dir 'conf.d'")
    #expect(found.values.isEmpty)
  }

  /// Goal: an empty setting of a later file undoes one of an earlier.
  @Test func merged() {
    var found = settings("recovery_target_xid = '7'\nrecovery_target_inclusive = 'false'")
    found.merge(settings("recovery_target_xid = ''\nrecovery_target_inclusive = on"))
    #expect(found.target == nil)
    #expect(!found.isExclusive)
  }

  /// Goal: a history says where each timeline begins. Method: the form that servers write, with a
  /// comment; and lines that are none.
  @Test func history() throws {
    let text = "1\t0/5000148\tno recovery target specified\n\n# note\n3 0/7000060 before x\n"
    let history = try TimelineHistory(of: 7, decoding: Array(text.utf8).bytes)
    #expect(history.parts.map(\.timelineID) == [1, 3, 7])
    #expect(history.parts.map(\.start.rawValue) == [0, 0x500_0148, 0x700_0060])
    #expect(TimelineHistory.fileName(26) == "0000001A.history")
    for text in [
      "1", "1\tx\ty", "2\t0/1\n1\t0/2", "7\t0/1", "x\t0/1", "1\t0/2\n2\t0/1", "1\t40000000/0",
      "1\tFFFFFFFF/FFFFFFFF",
    ] {
      #expect(throws: FormatError.self) {
        try TimelineHistory(of: 7, decoding: Array(text.utf8).bytes)
      }
    }
  }
}
