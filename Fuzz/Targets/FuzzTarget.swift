import PostgresFormat
import System

/// A reader of bytes from outside, as an entry for libFuzzer and for the tests that replay what it
/// found.
///
/// The raw value is the target's name on the command line and that of its corpus' directory.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A tar, in the short form of `ShortForm`: members, the decision about each, small files, the
  /// judgement at the end.
  case archive
  /// A member's name and what it means in a data directory.
  case name
  case controlFile = "control-file"
  case twoPhase = "two-phase"
  case origins
  /// `neon.signal` and `PG_VERSION`.
  case signal
  case backupLabel = "backup-label"
  case tablespaceMap = "tablespace-map"
  /// A page of `pg_database` or `pg_tablespace`, without the zeros at its end.
  case catalog
  /// `pg_filenode.map`, without the zeros at its end.
  case relationMap = "relation-map"
  /// A layer file, in the short form of `ShortForm`.
  case layer
  case index
  /// `backup_manifest`.
  case manifest
  case gzip
  case lz4
  case xz
  case zstd

  /// Reads the bytes as the program would; true where it accepts them.
  ///
  /// What it does to bytes that it refuses is throw. A trap, a sanitizer's report or a broken
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
      case .layer: try runLayer(bytes)
      case .index: try runIndex(bytes)
      case .manifest: try runManifest(bytes)
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

  /// A text that is shown, a message or an escaped name, never carries what would steer a terminal.
  func requireShowable(_ text: String) {
    precondition(
      text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F },
      "a text with control characters")
  }
}
