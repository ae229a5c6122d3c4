import PostgresFormat
import System

/// A reader of untrusted bytes, called by libFuzzer and by the tests that replay its findings.
///
/// The raw value is the name of the target on the command line and of its corpus directory.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A tar, in the short form of `ShortForm`: members, the decision about each, small files, and
  /// the assessment at the end.
  case archive
  /// The name of a member, and the decision about it.
  case name
  /// `global/pg_control`.
  case controlFile = "control-file"
  /// A file of `pg_twophase`: the state of a prepared transaction.
  case twoPhase = "two-phase"
  /// `pg_logical/replorigin_checkpoint`.
  case origins
  /// `neon.signal` and `PG_VERSION`.
  case signal
  /// `backup_label`.
  case backupLabel = "backup-label"
  /// `tablespace_map`.
  case tablespaceMap = "tablespace-map"
  /// A page of `pg_database` or `pg_tablespace`, without the zeros at its end.
  case catalog
  /// `pg_filenode.map`, without the zeros at its end.
  case relationMap = "relation-map"
  /// Pages of the write-ahead log, in the short form of `ShortForm`.
  case writeAheadLog = "wal"
  /// A layer file, in the short form of `ShortForm`.
  case layer
  /// `index_part.json`.
  case index
  /// `backup_manifest`.
  case manifest
  /// A page of an object store's listing, in XML.
  case listing
  /// A gzip stream.
  case gzip
  /// An LZ4 frame stream.
  case lz4
  /// An xz stream.
  case xz
  /// A zstd stream.
  case zstd

  /// Reads the bytes as the program would; returns whether it accepts them.
  ///
  /// The readers throw for bytes that they refuse. A trap, a report of a sanitizer or a broken
  /// invariant ends the process.
  public func run(_ bytes: RawSpan) -> Bool {
    do {
      switch self {
      case .archive: try runArchive(bytes)
      case .name: try runName(bytes)
      case .controlFile: try runControlFile(bytes)
      case .twoPhase: try runTwoPhase(bytes)
      case .origins: try runOrigins(bytes)
      case .signal: try runSignal(bytes)
      case .backupLabel: try runBackupLabel(bytes)
      case .tablespaceMap: try runTablespaceMap(bytes)
      case .catalog: try runCatalog(bytes)
      case .relationMap: try runRelationMap(bytes)
      case .writeAheadLog: try runWriteAheadLog(bytes)
      case .layer: try runLayer(bytes)
      case .index: try runIndex(bytes)
      case .manifest: try runManifest(bytes)
      case .listing: try runListing(bytes)
      case .gzip, .lz4, .xz, .zstd: try runDecoder(bytes)
      }
      return true
    } catch let error as Failure {
      requireShowable(error.message)
      precondition(error.code != .bug, "a bug is reported: \(error.message)")
      return false
    } catch let error as FormatError {
      requireShowable(error.message)
      return false
    } catch {
      preconditionFailure("an error of neither type: \(error)")
    }
  }

  /// Checks that a message or an escaped name contains nothing that controls a terminal.
  func requireShowable(_ text: String) {
    precondition(
      text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F },
      "a text has control characters")
  }
}
