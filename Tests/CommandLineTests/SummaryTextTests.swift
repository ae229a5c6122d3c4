import Foundation
import ObjectStore
import PostgresFormat
import Testing

@testable import Operations
@testable import import_backup

/// Goal: the result says what happened, as a line and notes, or as one JSON object.
struct SummaryTextTests {
  private var summary: ImportSummary {
    var summary = ImportSummary()
    summary.backupKind = "clean shutdown"
    summary.postgresVersion = 15
    summary.systemIdentifier = "7412345678901234567"
    summary.tenantID = String(repeating: "a", count: 32)
    summary.timelineID = String(repeating: "b", count: 32)
    summary.generation = 26
    summary.timelinePath = "out/tenants/\(summary.tenantID)/timelines/\(summary.timelineID)"
    summary.importLSN = "0/5057110"
    summary.endLSN = "0/5057188"
    summary.databaseCount = 6
    summary.relationCount = 1
    summary.pageCount = 12_345
    summary.inputByteCount = 147_200_000
    summary.outputByteCount = 22 << 20
    summary.imageLayerCount = 3
    summary.l0LayerCount = 2
    summary.seconds = 1.24
    return summary
  }

  /// Method: the whole line, with singular and plural.
  @Test func line() {
    #expect(
      SummaryText.line(summary)
        == "imported Postgres 15 (clean shutdown): 6 databases, 1 relation, 12,345 pages, "
        + "LSN 0/5057110 to 0/5057188, 140.4 MiB in, 22.0 MiB out, 3 image layers, 2 L0 layers, "
        + "1.2 s")
  }

  /// Method: if nothing was lost or changed, only the layout and the next step are noted.
  @Test func fewestNotes() {
    let tenant = "out/tenants/\(summary.tenantID)"
    #expect(
      SummaryText.notes(summary) == [
        "note: small relations are in L0 layers, as --layout fake-l0 asks",
        "next: take it into service, at generation 26 or above: "
          + "import-backup attach \(summary.timelinePath) --controller URL",
        "next: or copy \(tenant) to a bucket first, below tenants/, index_part.json-0000001a last",
      ])
  }

  /// Goal: nobody takes some shards for a timeline. Method: the line, the first and the last note.
  @Test func notPublished() {
    var summary = summary
    (summary.shardCount, summary.onlyShards) = (4, [0, 1, 3])
    #expect(
      SummaryText.line(summary).hasPrefix(
        "imported shards 0-1,3 of 4 of Postgres 15 (clean shutdown), not published: 6 databases"))
    let notes = SummaryText.notes(summary)
    #expect(notes.first == "note: once published, the timeline is '\(summary.timelinePath)'")
    #expect(
      notes.last
        == "next: when all shards are written: import-backup publish out/tenants/\(summary.tenantID)"
    )
  }

  /// Goal: the next command reaches the same store. Method: options that were given.
  @Test func nextInBucket() {
    var summary = summary
    summary.timelinePath = "s3://b/tenants/T/timelines/L"
    var store = StoreOptions()
    store.endpointURL = "https://rgw:8080"
    store.region = "eu"
    store.caBundle = "/c a"
    #expect(
      SummaryText.notes(summary, store: store).last
        == "next: take it into service, at generation 26 or above: import-backup attach "
        + "s3://b/tenants/T/timelines/L --controller URL --endpoint-url https://rgw:8080 --region eu "
        + "--ca-bundle '/c a'")
  }

  /// Method: every possible note in full; names are dropped if the line would be too long.
  @Test func allNotes() {
    var summary = summary
    summary.changes = [
      Change(.dataChecksumsOff, "data checksums off"),
      Change(.walSegmentSize, "WAL segment size 16 MiB"),
    ]
    summary.stampedPageCount = 208
    (summary.layout, summary.layoutReason) = (.sorted, .manyLevel0Layers)
    summary.segmentTableByteCount = 46_000_000
    summary.mendedTwoPhaseFileCount = 1
    summary.preparedTransactionCount = 1
    summary.unloggedRelationCount = 2
    summary.lostReplicationSlots = ["slot_a"]
    summary.requiredSettings = ["max_prepared_transactions": 10, "max_connections": 100]
    let names = (0..<8).map { "pg_wal/00000001000000000000000\($0)" }
    summary.leftOut = [
      .init(.writeAheadLog, fileCount: 1012, byteCount: 48 << 20, names: names),
      .init(.configuration, fileCount: 1, byteCount: 10, names: ["postgresql.conf"]),
    ]
    #expect(
      SummaryText.notes(summary).dropLast(2) == [
        "note: small relations are in sorted image layers, as a pageserver would compact so many L0 "
          + "layers",
        "note: changed in pg_control: data checksums off, WAL segment size 16 MiB",
        "note: 208 pages had no LSN; each was given one "
          + "(normal after bulk loads under wal_level = minimal)",
        "note: repaired 1 two-phase file that contained its checksum twice",
        "note: the list of relations used 43.9 MiB of memory in addition to --memory",
        "note: 2 unlogged relations will be empty, as after a crash",
        "note: 1 replication slot is lost: slot_a",
        "note: left out 1,013 files, 48.0 MiB:",
        "note:   write-ahead log (1,012 files, 48.0 MiB): \(names[0]) and 1,011 more",
        "note:   configuration (1 file, 10 bytes): postgresql.conf",
        "note: 1 prepared transaction waits for COMMIT PREPARED or ROLLBACK PREPARED",
        "note: the compute needs at least these settings to start:",
        "note:   max_connections = 100",
        "note:   max_prepared_transactions = 10",
      ])
    // Paths and ids are never cut.
    let notes = SummaryText.notes(summary).filter { $0.hasPrefix("note: ") }
    #expect(notes.allSatisfy { $0.count <= SummaryText.columns })
  }

  /// Goal: an operator knows what was checked of a copy without a label. Method: each result.
  @Test func snapshotCheck() {
    var summary = summary
    summary.snapshotCheck = SnapshotCheck(result: .compared, startLSN: "0/5000028")
    #expect(
      SummaryText.notes(summary).contains(
        "note: without a 'backup_label', the copy was only compared with its WAL from LSN 0/5000028 on, "
          + "which shows no older page"))
    summary.snapshotCheck = SnapshotCheck(result: .assumed)
    #expect(
      SummaryText.notes(summary).contains(
        "note: without a 'backup_label', the copy was not checked, as --assume-snapshot says that it "
          + "is of one moment"))
  }

  /// Goal: pages that nothing uses are told, and only if there are some. Method: none, one and several.
  @Test func unfinishedRelations() {
    var summary = summary
    #expect(!SummaryText.notes(summary).contains { $0.contains("nothing uses") })
    let rest =
      " pages that nothing uses, of an index build, a rewrite or a hash index's growth that was under way"
    for (count, words) in [(1, "1 relation has"), (2, "2 relations have")] {
      summary.unfinishedRelationCount = count
      #expect(SummaryText.notes(summary).contains("note: " + words + rest))
    }
  }

  /// Goal: the error names what is of another cluster, be it the backup or its WAL. Method: the finding.
  @Test func otherCluster() {
    var verified = VerifySummary()
    (verified.timelinePath, verified.isCompared, verified.findingCount) = ("/t", true, 1)
    verified.findings = [
      .init(code: .otherCluster, message: "the WAL of '--wal' is from another cluster")
    ]
    #expect(
      VerifyText.failure(verified)?.message
        == "timeline '/t' cannot be compared: the WAL of '--wal' is from another cluster")
    verified.findings[0].code = .pageDiffers
    #expect(
      VerifyText.failure(verified)?.message == "timeline '/t' differs from the backup: 1 finding")
  }

  /// Method: the JSON is one line, its keys are sorted, and it reads back as the same summary.
  @Test func json() throws {
    let text = try SummaryOutput.object(summary).line()
    #expect(text.count { $0 == "\n" } == 1 && text.hasSuffix("}\n"))
    #expect(
      text.hasPrefix(
        #"{"absoluteNameCount":0,"backupKind":"clean shutdown","backupPath":"","changes":[],"#))
    #expect(text.contains(#""command":"import""#) && text.contains(#""schema":2"#))
    #expect(text.contains(#""timelinePath":"out/tenants/"#))
    let again = try JSONDecoder().decode(ImportSummary.self, from: Data(text.utf8))
    #expect(try SummaryOutput.object(again).line() == text)
  }
}
